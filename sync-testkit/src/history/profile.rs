//! What kind of histories to make.

use sync_core::{Action, EntityKey, Life, Tombstone};

use crate::oracle::EntityForm;
use crate::rng::Rng;

/// What is written to a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldKind {
    /// Last writer wins.
    Assign,
    /// First writer wins.
    First,
    /// The greatest value.
    Max,
    /// The least value.
    Min,
    /// A counter.
    Counter,
    /// A set.
    Set,
    /// A user's own family that keeps all operations.
    OwnLog,
    /// A user's own family whose operations contain what they saw.
    OwnMerge,
    /// A family that this version does not know.
    Unknown,
    /// Each writer has another policy for the field: its program is older or newer.
    Changing,
}

/// What kind of histories to make.
#[derive(Debug, Clone)]
pub struct Profile {
    /// How many devices there are beside the hub.
    pub devices: usize,
    /// How many entries to write at least.
    pub entries: usize,
    /// How many entities of each type there are.
    pub entities: usize,
    /// The fields of every entity, in the order of their names.
    pub fields: Vec<(&'static str, FieldKind)>,
    /// Whether an author who knows an entry knows all that its author knew.
    pub causal: bool,
    /// By how many milliseconds clocks may be off at most.
    pub skew: i128,
    /// Whether deletes are taken back.
    pub restores: bool,
    /// Whether deletes of both policies occur.
    pub forgiving: bool,
    /// How many steps in a hundred are a foreign client's, at most 25.
    pub foreign: usize,
    /// Of the remaining steps to 60, how many in a hundred are purges.
    pub purges: usize,
    /// How many entries in a hundred name what no honest author would.
    pub hostile: usize,
}

impl Profile {
    /// Everything that honest replicas, hubs and foreign clients do.
    pub fn honest() -> Self {
        use FieldKind::{Assign, Changing, Counter, First, Max, Min, OwnLog, OwnMerge, Set, Unknown};
        Self {
            devices: 3,
            entries: 28,
            entities: 2,
            fields: vec![
                ("blend", OwnMerge),
                ("body", Assign),
                ("log", OwnLog),
                ("low", Min),
                ("made", First),
                ("morph", Changing),
                ("strange", Unknown),
                ("tags", Set),
                ("title", Assign),
                ("top", Max),
                ("views", Counter),
            ],
            causal: true,
            skew: u64::MAX.into(),
            restores: true,
            forgiving: true,
            foreign: 8,
            purges: 30,
            hostile: 0,
        }
    }

    /// The same, where authors know entries without knowing what those stand on.
    pub fn scattered() -> Self {
        Self { causal: false, ..Self::honest() }
    }

    /// With authors who name what they never saw: their own entry, future ones, other entities', nobody's.
    pub fn hostile() -> Self {
        Self { hostile: 30, causal: false, ..Self::honest() }
    }

    /// Many writers on one field of one entity: as many siblings as can be.
    pub fn crowded(kind: FieldKind) -> Self {
        Self { devices: 5, entities: 1, fields: vec![("field", kind)], ..Self::honest() }
    }

    /// What the article's notes can express: create, update, delete of two plain fields. No clock stands at the
    /// end of time, where stamps no longer grow.
    pub fn article() -> Self {
        let fields = vec![("body", FieldKind::Assign), ("title", FieldKind::Assign)];
        Self { fields, restores: false, forgiving: false, purges: 0, skew: 1 << 60, ..Self::honest() }
    }

    /// What most programs write: plain fields of many entities, under clocks that are right, with an exception here
    /// and there.
    pub fn usual() -> Self {
        let fields = ["body", "pinned", "title"].map(|name| (name, FieldKind::Assign)).to_vec();
        Self { devices: 4, entries: 60, entities: 6, fields, skew: 1_000, foreign: 1, purges: 1, ..Self::honest() }
    }

    pub(super) fn any_key(&self, rng: &mut Rng) -> EntityKey {
        let entity_type = if rng.percent(70) { "note" } else { "notebook" };
        EntityKey::new(entity_type, format!("e{}", rng.below(self.entities)))
    }

    /// What an author does who sees this.
    pub(super) fn any_action(&self, view: &EntityForm, rng: &mut Rng) -> Option<Action> {
        let chance = rng.below(100);
        let policy = if self.forgiving && rng.percent(50) { Tombstone::LastWriterWins } else { Tombstone::DeleteWins };
        match view.life {
            Life::Unborn => Some(Action::Create),
            Life::Alive { .. } if chance < 85 => Some(Action::Update),
            Life::Alive { .. } if chance < 97 || !self.restores => Some(Action::Delete(policy)),
            Life::Alive { .. } => Some(Action::Restore),
            Life::Deleted { .. } if self.restores && chance < 60 => Some(Action::Restore),
            Life::Deleted { .. } if chance < 80 => Some(Action::Delete(policy)),
            Life::Deleted { .. } => None,
        }
    }
}
