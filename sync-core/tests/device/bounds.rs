//! Maxima and minima of a field that came later: its default is shown, and bounds nothing.

use std::sync::Arc;

use sync_core::{Id, MemoryStore, Replica, Syncable};

#[derive(Syncable, Debug)]
#[sync(entity = "run")]
struct Before {
    #[sync(id)]
    id: Id<Before, String>,
}

#[derive(Syncable, Debug)]
#[sync(entity = "run")]
struct Run {
    #[sync(id)]
    id: Id<Run, String>,
    #[sync(merge = "min", default)]
    seconds: u32,
    #[sync(merge = "max", default = "far")]
    metres: u32,
}

fn far() -> u32 {
    1_000
}

#[test]
fn a_default_is_shown_and_is_no_bound() {
    for is_draft in [false, true] {
        let store = Arc::new(MemoryStore::new());
        let before = Replica::builder().register::<Before>().threadless().open(store.clone()).unwrap();
        let id = Id::<Run, String>::from("r");
        before.create(Before { id: "r".into() }).unwrap().wait().unwrap();
        let replica = Replica::builder().register::<Run>().threadless().open(store.copy()).unwrap();
        let shown = || replica.get(&id).unwrap().map(|run| (run.seconds, run.metres)).unwrap();
        assert_eq!(shown(), (0, 1_000));
        for (seconds, metres, left) in [(60, 500, (60, 500)), (70, 400, (60, 500)), (50, 600, (50, 600))] {
            if is_draft {
                let mut draft = replica.draft(&id).unwrap();
                (draft.seconds, draft.metres) = (seconds, metres);
                draft.save().unwrap().wait().unwrap();
            } else {
                let edit = |run: &mut Run| (run.seconds, run.metres) = (seconds, metres);
                replica.edit(&id, edit).unwrap().wait().unwrap();
            }
            assert_eq!(shown(), left, "draft: {is_draft}");
        }
    }
}
