//! A greeting in parts: it names every client that a device ever was, in an address, and long ones are refused.

use sync_core::TransportError;
use sync_core::transport::{Hello, HelloRequest};

use super::transport::nonsense;
use crate::wire::query;

/// The most bytes of a query that names more than one client. Many servers and proxies take 8 KiB of a request's head.
const MOST: usize = 4 << 10;

/// As much of a greeting as is asked at once, and the same one with the other clients.
pub(super) fn split(mut request: HelloRequest) -> (HelloRequest, Option<HelloRequest>) {
    let all = request.clients.len();
    let is_long = |count: &usize| {
        let clients = request.clients[..*count].to_vec();
        query::hello(&HelloRequest { clients, ..request }).len() > MOST
    };
    let count = (2..=all).find(is_long).map_or(all, |count| count - 1);
    let rest = request.clients.split_off(count);
    let rest = (!rest.is_empty()).then_some(HelloRequest { clients: rest, ..request });
    (request, rest)
}

/// What a hub answered to two parts, one after the other. It may have been put back to an older state in between: what
/// it lacked once it lacks.
pub(super) fn joined(before: Hello, after: Hello) -> Result<Hello, TransportError> {
    let who = |hello: &Hello| (hello.hub.clone(), hello.space.clone(), hello.principal.clone());
    if who(&before) != who(&after) {
        return Err(nonsense("two hubs, or for two accounts, answered at one address"));
    }
    let clients = before.clients.into_iter().chain(after.clients).collect();
    Ok(Hello { clients, on_chain: before.on_chain && after.on_chain, ..after })
}

#[cfg(test)]
mod tests {
    use super::*;
    use sync_core::transport::{Epoch, Limits};
    use sync_core::{ClientId, Cursor, Digest, Known};

    fn request(clients: usize, bytes: usize) -> HelloRequest {
        let client = |n| (ClientId::new(format!("{n:0bytes$}")), Known { n, digest: Digest(u128::from(n)) });
        let cursor = Cursor { seq: 7, digest: Digest(7), epoch: Epoch(7) };
        HelloRequest { clients: (0..clients as u64).map(client).collect(), cursor, epoch: Epoch(9) }
    }

    #[test]
    fn parts_are_short_and_together_the_whole() {
        for (clients, bytes, expected) in [(0, 8, 1), (1, 8, 1), (40, 8, 1), (300, 8, 5), (300, 128, 14)] {
            let whole = request(clients, bytes);
            let (mut parts, mut rest) = (Vec::new(), Some(whole.clone()));
            while let Some(request) = rest {
                let (part, others) = split(request);
                parts.push(part);
                rest = others;
            }
            assert_eq!(parts.len(), expected, "{clients} of {bytes}");
            assert!(parts.iter().all(|part| query::hello(part).len() <= MOST));
            assert!(parts.iter().all(|part| (part.cursor, part.epoch) == (whole.cursor, whole.epoch)));
            let clients: Vec<_> = parts.into_iter().flat_map(|part| part.clients).collect();
            assert_eq!(clients, whole.clients);
        }
    }

    #[test]
    fn what_was_lacking_once_is_lacking() {
        let hello = |hub: &str, on_chain| Hello {
            hub: hub.to_owned(),
            space: "s".to_owned(),
            principal: "p".to_owned(),
            server_time: 1,
            head: Cursor::default(),
            tail: 1,
            on_chain,
            limits: Limits::default(),
            protocols: vec![1],
            clients: Vec::new(),
            may_join: false,
            epochs: Vec::new(),
        };
        for (before, after) in [(true, true), (true, false), (false, true), (false, false)] {
            let whole = joined(hello("h", before), hello("h", after));
            assert_eq!(whole.map(|hello| hello.on_chain), Ok(before && after));
        }
        assert!(joined(hello("h", true), hello("another", true)).is_err());
    }
}
