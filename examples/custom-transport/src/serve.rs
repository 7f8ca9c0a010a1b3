//! The hub's end of the pipes.

use std::io;

use sync_core::Hub;
use sync_http::wire::{Unreadable, actions, hello, page, problem::Problem, query, snapshot};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, BufReader};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::{PATIENCE, write};

/// Serves a hub over two pipes, on behalf of one principal, until the first of them ends.
///
/// # Errors
/// If reading fails.
pub async fn serve(
    hub: Hub,
    principal: &str,
    requests: impl AsyncRead + Unpin,
    answers: impl AsyncWrite + Send + Unpin + 'static,
) -> io::Result<()> {
    let (outbox, lines) = mpsc::unbounded_channel();
    tokio::spawn(write(lines, answers));
    let mut requests = BufReader::new(requests).lines();
    while let Some(line) = requests.next_line().await? {
        let (hub, principal, outbox) = (hub.clone(), principal.to_owned(), outbox.clone());
        tokio::spawn(async move {
            let mut parts = line.splitn(3, ' ').map(str::to_owned);
            let mut part = || parts.next().unwrap_or_default();
            let (id, call, text) = (part(), part(), part());
            let answered = if call == "live" {
                live(&hub, &text).await
            } else {
                // Hubs block.
                let answer = tokio::task::spawn_blocking(move || answer(&hub, &principal, &call, &text)).await;
                answer.unwrap_or_else(|_| Err(Problem::new("hub", "the hub failed at this request")))
            };
            let line = match answered {
                Ok(text) => format!("{id} ok {text}\n"),
                Err(problem) => format!("{id} no {}\n", problem.to_json()),
            };
            // Nobody is left to read it: then nobody waits for it.
            let _ = outbox.send(line);
        });
    }
    Ok(())
}

fn answer(hub: &Hub, principal: &str, call: &str, text: &str) -> Result<String, Problem> {
    Ok(match call {
        "hello" => hello::hello(&hub.hello(principal, &query::read_hello(text).map_err(unreadable)?)?),
        "push" => {
            let pushed = actions::read_push(text.as_bytes(), &hub.limits()).map_err(unreadable)?;
            actions::reply(&hub.push(principal, pushed.attempt, pushed.offers)?)
        }
        "pull" => page::page(&hub.pull(&query::read_pull(text).map_err(unreadable)?)?),
        "snapshot" => snapshot::page(&hub.snapshot(&query::read_snapshot(text))?),
        "join" => {
            hub.join(principal, &snapshot::read_page(text.as_bytes()).map_err(unreadable)?)?;
            String::new()
        }
        _ => return Err(Problem::new("malformed", format!("there is no call {call:?}"))),
    })
}

async fn live(hub: &Hub, text: &str) -> Result<String, Problem> {
    let since = query::read_since(text).map_err(unreadable)?;
    let head = timeout(PATIENCE / 3, hub.wait_beyond(since)).await.unwrap_or(since);
    Ok(head.to_string())
}

fn unreadable(error: Unreadable) -> Problem {
    Problem::new(error.code(), error.message)
}
