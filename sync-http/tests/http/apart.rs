//! Spaces are apart: whatever happens in one, what is answered in another is the same, byte for byte; and a space that
//! one is not let into is answered like one that does not exist.
//!
//! `APART_SEEDS` is how many histories are tried, `APART_SEED` from which one on.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use sync_core::{Hub, MemoryStore, Random, Spaces};
use sync_http::server::{HubService, Tokens};
use sync_testkit::rng::Rng;
use tower_service::Service;

use crate::support::{NOW, Stopped, actions, create};

/// Each space's own: what another one draws makes no difference.
#[derive(Default)]
struct OfTheSpace(AtomicU64);

impl OfTheSpace {
    fn begin(&self, space: &str) {
        let mut hash = DefaultHasher::new();
        space.hash(&mut hash);
        self.0.store(hash.finish(), Ordering::Relaxed);
    }
}

impl Random for OfTheSpace {
    fn bits(&self) -> u128 {
        u128::from(self.0.fetch_add(1, Ordering::Relaxed)) << 64 | 7
    }
}

fn service() -> HubService {
    let random = Arc::new(OfTheSpace::default());
    let template = Hub::builder().clock(Arc::new(Stopped)).random(random.clone());
    let open = move |space: &str| {
        random.begin(space);
        Ok(Arc::new(MemoryStore::new()) as Arc<dyn sync_core::Store>)
    };
    let tokens = Tokens::new().allow_in("of ana", "ana", ["ana"]).allow_in("of ben", "ben", ["ben"]);
    HubService::builder(Spaces::new(template, open)).authenticate(tokens).call_hubs_inline().build()
}

/// A request in words: method, path and query, version 1 or not, body.
type Asked = (&'static str, String, bool, String);

/// What somebody asks in their space, in good faith or not.
fn asked(space: &str, rng: &mut Rng, pushed: &mut u64) -> Asked {
    let path = |rest: &str| format!("/spaces/{space}/sync/{rest}");
    let since = rng.below(6);
    match rng.below(9) {
        0..=2 => {
            *pushed += 1;
            ("POST", path("actions"), true, actions(&[create(space, *pushed)]))
        }
        3 => {
            let (time, id) = (NOW + rng.below(100) as u64, rng.below(1_000));
            let action = format!(
                r#"{{"actions":[{{"id":"f{id}","entityId":"e{id}","type":"create","payload":{{"type":"create","id":"e{id}","payload":{{"title":"t"}},"logicalTime":{time}}},"clientId":"f","logicalTime":{time}}}]}}"#
            );
            ("POST", path("actions"), false, action)
        }
        4 => ("GET", path(&format!("actions?since={since}&limit=3")), rng.below(2) == 0, String::new()),
        5 => (
            "GET",
            path(&format!("hello?client={space}:{since}:00000000000000000000000000000000")),
            true,
            String::new(),
        ),
        6 => ("GET", path("snapshot"), true, String::new()),
        7 => ("POST", path("actions"), true, "{\"actions\":[{}]}".into()),
        _ => ("GET", path("actions?since=99"), true, String::new()),
    }
}

/// The whole answer, as text.
async fn answer(service: &mut HubService, token: &str, asked: &Asked) -> String {
    let (method, path, is_v1, body) = asked;
    let mut request = Request::builder().method(*method).uri(path).header("authorization", format!("Bearer {token}"));
    if *is_v1 {
        request = request.header("sync-protocol", "1");
    }
    let request = request.body(Full::new(Bytes::from(body.clone()))).unwrap();
    let (head, body) = service.call(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    format!("{} {:?} {}", head.status, head.headers, String::from_utf8_lossy(&body))
}

#[tokio::test]
async fn what_others_do_in_theirs_changes_no_byte() {
    let (mut asked_in_all, mut taken) = (0, 0);
    let first = crate::number("APART_SEED", 1);
    for seed in first..first + crate::number("APART_SEEDS", 250) {
        let mut rng = Rng::new(seed);
        let [mut alone, mut shared] = [service(), service()];
        let (mut of_ana, mut of_ben) = (0, 0);
        for _ in 0..12 {
            for _ in 0..rng.below(3) {
                let theirs = asked("ana", &mut rng, &mut of_ana);
                answer(&mut shared, "of ana", &theirs).await;
            }
            let ours = asked("ben", &mut rng, &mut of_ben);
            let [expected, found] =
                [answer(&mut alone, "of ben", &ours).await, answer(&mut shared, "of ben", &ours).await];
            assert_eq!(found, expected, "APART_SEED={seed} APART_SEEDS=1: {ours:?}");
            asked_in_all += 1;
            taken += u64::from(expected.starts_with("200"));
        }
    }
    println!("{asked_in_all} requests, {taken} of them carried out, were answered alike");
    assert!(taken * 2 > asked_in_all, "only {taken} of {asked_in_all} requests were carried out");
}

#[tokio::test]
async fn a_space_of_others_is_like_one_that_is_not_there() {
    let mut service = service();
    let (mut rng, mut pushed) = (Rng::new(1), 0);
    for _ in 0..40 {
        let theirs = asked("ana", &mut rng, &mut pushed);
        answer(&mut service, "of ana", &theirs).await;
        let guessed = answer(&mut service, "of ben", &theirs).await;
        let elsewhere = (theirs.0, theirs.1.replace("ana", "odd"), theirs.2, theirs.3.replace("ana", "odd"));
        let unknown = answer(&mut service, "of ben", &elsewhere).await;
        assert_eq!(guessed.replace("ana", "odd"), unknown, "{theirs:?}");
        assert!(guessed.starts_with("403"), "{guessed}");
    }
    assert!(pushed > 5);
}
