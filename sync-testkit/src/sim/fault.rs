//! What can go wrong, and how often it did.

/// One kind of thing that goes wrong, or that must not make a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Fault {
    /// A request is lost on its way.
    Drop,
    /// A request arrives twice.
    Duplicate,
    /// A request arrives after later ones of the same device.
    Reorder,
    /// The hub did what was asked, and its reply is lost.
    ReplyLost,
    /// What answers is no hub.
    TornReply,
    /// The hub asks to come back later.
    Busy,
    /// For a while one direction works and the other does not.
    OneWayCut,
    /// A device does not sync for a long time.
    LongOffline,
    /// A sync is given up in the middle.
    GivenUp,
    /// A device's process ends anywhere.
    DeviceCrash,
    /// A device loses power between two storage operations.
    DevicePower,
    /// The hub's process ends anywhere.
    HubCrash,
    /// The hub loses power between two storage operations.
    HubPower,
    /// A second process of the hub works on the same store.
    SecondHub,
    /// A device's file is lost, and it begins anew.
    Reset,
    /// A device's file is copied, and both go on.
    Clone,
    /// A device's file is put back as it was.
    Restore,
    /// A device's clock is off.
    Skew,
    /// A device's clock jumps back.
    JumpBack,
    /// A device's clock jumps years ahead.
    FarFuture,
    /// The hub's clock is off.
    HubSkew,
    /// Pages and batches of a few entries.
    SmallPages,
    /// A device's checkpoint or compaction at any time.
    Compact,
    /// A checkpoint of the hub at any time.
    HubCheckpoint,
    /// The hub drops the log's beginning.
    HubCompact,
    /// The hub purges what was deleted.
    Purge,
    /// The hub's store is put back as it was.
    HubRestored,
    /// The hub's store is lost, and it begins anew.
    HubEmptied,
    /// A device takes over the hub's snapshot.
    Bootstrap,
    /// The hub refuses what it took before, and takes what it refused.
    Refusal,
    /// A refused entry is written anew.
    Resubmit,
    /// An operation of a device's disk fails.
    DeviceIo,
    /// A device's disk is full.
    DeviceFull,
    /// An operation of the hub's disk fails.
    HubIo,
    /// The hub's disk is full.
    HubFull,
    /// A device runs another version of the program, or moves to one.
    Schema,
    /// A client of the article's dialect writes.
    Foreign,
    /// A client that keeps to no rule.
    Hostile,
    /// A device is connected to another space than its own.
    WrongSpace,
    /// A device is wiped, for the next user.
    Wiped,
    /// A device takes its state from a file that another one wrote.
    SnapshotFile,
    /// Another process of the hub acts between two storage operations of one.
    HubsAtOnce,
    /// A conflict is settled from a list that was made a while ago.
    OldList,
    /// All that was refused on a device is written anew, one after the other.
    AllAnew,
}

impl Fault {
    /// All of them.
    pub const ALL: [Fault; 44] = [
        Fault::Drop,
        Fault::Duplicate,
        Fault::Reorder,
        Fault::ReplyLost,
        Fault::TornReply,
        Fault::Busy,
        Fault::OneWayCut,
        Fault::LongOffline,
        Fault::GivenUp,
        Fault::DeviceCrash,
        Fault::DevicePower,
        Fault::HubCrash,
        Fault::HubPower,
        Fault::SecondHub,
        Fault::Reset,
        Fault::Clone,
        Fault::Restore,
        Fault::Skew,
        Fault::JumpBack,
        Fault::FarFuture,
        Fault::HubSkew,
        Fault::SmallPages,
        Fault::Compact,
        Fault::HubCheckpoint,
        Fault::HubCompact,
        Fault::Purge,
        Fault::HubRestored,
        Fault::HubEmptied,
        Fault::Bootstrap,
        Fault::Refusal,
        Fault::Resubmit,
        Fault::DeviceIo,
        Fault::DeviceFull,
        Fault::HubIo,
        Fault::HubFull,
        Fault::Schema,
        Fault::Foreign,
        Fault::Hostile,
        Fault::WrongSpace,
        Fault::Wiped,
        Fault::SnapshotFile,
        Fault::HubsAtOnce,
        Fault::OldList,
        Fault::AllAnew,
    ];

    /// Those that came last: histories that found something without them are told again without them.
    pub const LAST: [Fault; 3] = [Fault::HubsAtOnce, Fault::OldList, Fault::AllAnew];

    /// Its name, for reports.
    pub fn name(self) -> String {
        let mut name = String::new();
        for c in format!("{self:?}").chars() {
            if c.is_uppercase() && !name.is_empty() {
                name.push(' ');
            }
            name.extend(c.to_lowercase());
        }
        name
    }

    /// Without which it meets nothing.
    pub(super) fn needs(self) -> Fault {
        if matches!(self, Fault::Resubmit | Fault::AllAnew) { Fault::Refusal } else { self }
    }

    /// How many of it there have to be for one that meets anything, about: there may be nothing to purge, nothing
    /// that was refused, no file or copy yet.
    pub(super) fn tries(self) -> usize {
        match self {
            Fault::Purge | Fault::Resubmit | Fault::GivenUp => 4,
            Fault::AllAnew | Fault::OldList | Fault::Hostile => 3,
            Fault::Refusal | Fault::SnapshotFile | Fault::Restore | Fault::HubRestored => 2,
            _ => 1,
        }
    }

    fn bit(self) -> u64 {
        1 << self as u8
    }
}

/// Some of the faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Faults(u64);

impl Faults {
    /// None of them.
    pub const NONE: Faults = Faults(0);

    /// All of them.
    pub fn all() -> Self {
        Fault::ALL.into_iter().collect()
    }

    /// Whether this one is among them.
    pub fn has(self, fault: Fault) -> bool {
        self.0 & fault.bit() != 0
    }

    /// With this one.
    #[must_use]
    pub fn with(self, fault: Fault) -> Self {
        Self(self.0 | fault.bit())
    }

    /// Without this one.
    #[must_use]
    pub fn without(self, fault: Fault) -> Self {
        Self(self.0 & !fault.bit())
    }

    /// Those that are in both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Each of them.
    pub fn iter(self) -> impl Iterator<Item = Fault> {
        Fault::ALL.into_iter().filter(move |fault| self.has(*fault))
    }
}

impl FromIterator<Fault> for Faults {
    fn from_iter<I: IntoIterator<Item = Fault>>(faults: I) -> Self {
        faults.into_iter().fold(Self::NONE, Self::with)
    }
}
