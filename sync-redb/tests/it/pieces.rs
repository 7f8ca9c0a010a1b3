//! Long commits stand in pieces: they come back as they went, and one that lost a piece is damage.

use redb::{Database, TableDefinition};
use sync_core::{Checkpoint, Store};
use sync_redb::RedbStore;

/// As `sync-redb/src/layout.rs` has them.
const PIECE: usize = 65_000;
const JOURNAL: TableDefinition<'_, (u32, u64, u32), &[u8]> = TableDefinition::new("journal");

fn commit(seed: u8, length: usize) -> Vec<u8> {
    (0..length).map(|at| (at % 251) as u8 ^ seed).collect()
}

#[test]
fn commits_of_every_length_come_back() {
    let lengths = [0, 1, PIECE - 1, PIECE, PIECE + 1, 0, 2 * PIECE, 3 * PIECE + 5, 7];
    let commits: Vec<Vec<u8>> = (0_u8..).zip(lengths).map(|(seed, length)| commit(seed, length)).collect();
    let dir = tempfile::tempdir().unwrap();
    let store = RedbStore::open(dir.path().join("notes.redb")).unwrap();
    store.append(0, &commits.iter().map(Vec::as_slice).collect::<Vec<_>>()).unwrap();
    store.append(9, &[b"last"]).unwrap();
    let rows: Vec<_> = (1_u64..).zip(commits.iter().cloned().chain([b"last".to_vec()])).collect();
    for from in 0..=11 {
        for limit in [0, 1, 2, 3, usize::MAX] {
            let wanted: Vec<_> = rows.iter().filter(|(position, _)| *position >= from).take(limit).cloned().collect();
            assert_eq!(store.journal(from, limit).unwrap(), wanted, "{limit} from {from}");
        }
    }
    // Pieces go with their commit.
    store.checkpoint(&Checkpoint { covers: 8, drop_before: 8, ..Checkpoint::default() }).unwrap();
    let heads = store.heads().unwrap();
    assert_eq!((heads.first, heads.last), (8, 10));
    assert_eq!(store.journal(1, usize::MAX).unwrap(), rows[7..]);
    assert!(store.file().verify().unwrap());
}

#[test]
fn a_commit_that_lost_a_piece_is_damage() {
    for lost in 0..3 {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notes.redb");
        let store = RedbStore::open(&path).unwrap();
        store.append(0, &[b"before", &commit(1, 2 * PIECE + 9), b"after"]).unwrap();
        drop(store);
        let database = Database::open(&path).unwrap();
        let txn = database.begin_write().unwrap();
        assert!(txn.open_table(JOURNAL).unwrap().remove((1, 2, lost)).unwrap().is_some());
        txn.commit().unwrap();
        drop(database);
        let store = RedbStore::open(&path).unwrap();
        let error = store.journal(1, usize::MAX).unwrap_err();
        assert_eq!(error.code(), "store_damaged");
        assert!(error.to_string().contains(&format!("piece {lost} of position 2")), "{error}");
        assert_eq!(store.file().verify().unwrap_err().code(), "store_damaged");
    }
}
