//! The transport kit over pipes, and the command itself.

use std::sync::Arc;

use custom_transport::{PipeTransport, serve};
use sync_core::transport::HelloRequest;
use sync_core::{Hub, Transport, TransportError};
use tokio::process::Command;

sync_testkit::transport_tests!(pipes, |hub: Hub| -> Arc<dyn Transport> {
    let (requests, to_hub) = tokio::io::simplex(1_000);
    let (from_hub, answers) = tokio::io::simplex(1_000);
    tokio::spawn(async move { serve(hub, "ada", requests, answers).await });
    Arc::new(PipeTransport::new(from_hub, to_hub))
});

#[tokio::test]
async fn a_command_serves_a_hub_that_outlives_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut names = Vec::new();
    for _ in 0..2 {
        // The command before may still be closing the file: it is locked until then.
        let mut tries = 0..50;
        let hello = loop {
            let mut command = Command::new(env!("CARGO_BIN_EXE_custom-transport"));
            let command = command.arg("hub").arg(dir.path().join("hub.redb"));
            let transport = PipeTransport::spawn(command).expect("it starts");
            match transport.hello(&HelloRequest::default()).await {
                Err(_) if tries.next().is_some() => std::thread::sleep(std::time::Duration::from_millis(100)),
                hello => break hello.expect("it answers"),
            }
        };
        names.push(hello.hub);
    }
    assert_eq!(names[0], names[1]);
}

#[tokio::test]
async fn a_command_that_ends_is_a_hub_out_of_reach() {
    let transport = PipeTransport::spawn(&mut Command::new("true")).expect("it starts");
    for _ in 0..2 {
        let found = transport.hello(&HelloRequest::default()).await;
        assert!(matches!(found, Err(TransportError::Offline { .. })), "{found:?}");
    }
}
