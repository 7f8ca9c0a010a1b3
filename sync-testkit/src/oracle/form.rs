//! All that can be seen of a record, in a form that both the model and the oracle can produce.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use sync_core::model::conflict::{self, Losing};
use sync_core::model::entry::LIFECYCLE;
use sync_core::model::record::Lifecycle;
use sync_core::model::register::{Register, Sibling};
use sync_core::model::stamp::{Name, Origin};
use sync_core::{ClientId, Dot, Dots, EntityKey, Family, Life, Record, Snapshot, Stamp, Value};

/// All that can be seen of one entity.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EntityForm {
    /// The creates that nobody purged: where each comes from if it has arrived, and the last update on it.
    pub creates: BTreeMap<Dot, (Option<Origin>, Option<Stamp>)>,
    /// The deletes and restores that nobody replaced.
    pub lifecycle: BTreeMap<Dot, Lifecycle>,
    /// Every register.
    pub fields: BTreeMap<(Name, Family), FieldForm>,
    /// Entries that others name as replaced, and that have not arrived.
    pub awaited: BTreeSet<Dot>,
    /// Whether the entity is there.
    pub life: Life,
    /// Of what is there: the siblings that lost to one who had not seen them, the next to win first.
    pub conflicts: BTreeMap<(Name, Family), Dots>,
    /// Of what was deleted: field writes that none of the deletes' authors had seen.
    pub hidden: BTreeSet<Dot>,
    /// Whether deletes disagree with restores, with updates stamped later, or with what they hide.
    pub disputed: bool,
}

/// All that can be seen of one register.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct FieldForm {
    /// The siblings, the winner first, then in the order in which they would win.
    pub ranked: Vec<Sibling>,
    /// A counter's sums by client and creates, each with the number of the last addition in it.
    pub parts: BTreeMap<(ClientId, Dots), (u64, i128)>,
    /// Additions beyond a gap in their client's entries.
    pub early: BTreeMap<Dot, (Dots, i64)>,
    /// The sum of all additions.
    pub sum: i128,
    /// A set's elements, each with the insertions that nobody removed.
    pub elements: BTreeMap<String, BTreeMap<Dot, (Origin, Dots)>>,
}

impl FieldForm {
    /// Whether nothing is left of it.
    pub fn is_empty(&self) -> bool {
        self.ranked.is_empty() && self.parts.is_empty() && self.early.is_empty() && self.elements.is_empty()
    }

    /// The value, of a family whose value is that of one write.
    pub fn value(&self) -> Option<&Value> {
        self.ranked.first().map(|winner| &winner.value)
    }

    /// Every write in it.
    pub fn dots(&self) -> BTreeSet<Dot> {
        let siblings = self.ranked.iter().map(|s| s.origin.dot.clone());
        let parts = self.parts.iter().map(|((client, _), (n, _))| Dot::new(client.clone(), *n));
        let insertions = self.elements.values().flat_map(|insertions| insertions.keys().cloned());
        siblings.chain(parts).chain(self.early.keys().cloned()).chain(insertions).collect()
    }

    fn of(register: &Register, family: &Family) -> Self {
        let mut form = Self { sum: register.sum(), ..Self::default() };
        form.ranked = register.ranked(family).into_iter().cloned().collect();
        match register {
            Register::Counter { parts, early } => {
                let part = |p: &sync_core::model::register::Part| ((p.client.clone(), p.of.clone()), (p.n, p.sum));
                form.parts = parts.iter().map(part).collect();
                form.early = early.iter().map(|a| (a.dot.clone(), (a.of.clone(), a.delta))).collect();
            }
            Register::Set(elements) => {
                for (element, insertions) in elements {
                    let insertion = |(origin, of): &(Origin, Dots)| (origin.dot.clone(), (origin.clone(), of.clone()));
                    form.elements.insert(element.to_string(), insertions.iter().map(insertion).collect());
                }
            }
            _ => {}
        }
        form
    }
}

impl EntityForm {
    /// What the model shows of a record.
    pub fn of(record: &Record) -> Self {
        let creates = record.creates().iter().map(|c| (c.dot.clone(), (c.origin.clone(), c.updated.clone())));
        let lifecycle = record.lifecycle().iter().map(|l| (l.origin.dot.clone(), l.clone()));
        let fields = record.registers().map(|(name, family, register)| {
            let form = FieldForm::of(register, family);
            ((name.clone(), family.clone()), form)
        });
        let (disputes, conflicts): (Vec<Losing>, Vec<Losing>) =
            conflict::of(record, |name| vec![name.to_owned()]).into_iter().partition(|l| &*l.field == LIFECYCLE);
        let losers = |l: &Losing| l.losers.iter().map(|write| write.origin.dot.clone()).collect();
        Self {
            creates: creates.collect(),
            lifecycle: lifecycle.collect(),
            fields: fields.collect(),
            awaited: record.awaited().cloned().collect(),
            life: record.life(),
            conflicts: conflicts.iter().map(|l| ((l.field.clone(), l.family.clone()), losers(l))).collect(),
            hidden: record.hidden_writes().into_iter().collect(),
            disputed: !disputes.is_empty(),
        }
    }

    /// Whether nothing is left of it.
    pub fn is_empty(&self) -> bool {
        self.creates.is_empty() && self.lifecycle.is_empty() && self.fields.is_empty() && self.awaited.is_empty()
    }

    /// The creates that have arrived and live, as an author names them.
    pub fn grounds(&self) -> Dots {
        self.creates.iter().filter(|(_, (origin, _))| origin.is_some()).map(|(dot, _)| dot.clone()).collect()
    }

    /// Every field write in it, as a delete's author sees them.
    pub fn seen(&self) -> Dots {
        let dots: BTreeSet<Dot> = self.fields.values().flat_map(FieldForm::dots).collect();
        dots.into_iter().collect()
    }

    /// One fact a line.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!("{:?}", self.life)];
        for (dot, (origin, updated)) in &self.creates {
            let updated = updated.as_ref().map(|s| format!("{}/{}/{}", s.time, s.client, s.n));
            lines.push(format!("create {dot} {} updated {updated:?}", at(origin.as_ref())));
        }
        for (dot, l) in &self.lifecycle {
            let (of, saw) = (dots(&l.of), dots(&l.saw));
            lines.push(format!("lifecycle {dot} {} {:?} of {of} saw {saw}", at(Some(&l.origin)), l.delete));
        }
        for ((name, family), field) in &self.fields {
            let field = field.lines().into_iter().map(|line| format!("{name} {family:?} {line}"));
            lines.extend(field);
        }
        for ((name, family), losers) in &self.conflicts {
            lines.push(format!("{name} {family:?} lost {}", dots(losers)));
        }
        lines.extend(self.hidden.iter().map(|dot| format!("hidden {dot}")));
        lines.extend(self.disputed.then(|| "disputed".to_owned()));
        lines.extend(self.awaited.iter().map(|dot| format!("awaits {dot}")));
        lines
    }
}

impl FieldForm {
    fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (place, s) in self.ranked.iter().enumerate() {
            let (dot, origin) = (&s.origin.dot, at(Some(&s.origin)));
            lines.push(format!("#{place} {dot} {origin} of {} = {}", dots(&s.of), s.value));
        }
        for ((client, of), (n, sum)) in &self.parts {
            lines.push(format!("{client} up to {n} of {}: {sum}", dots(of)));
        }
        for (dot, (of, delta)) in &self.early {
            lines.push(format!("early {dot} of {}: {delta}", dots(of)));
        }
        for (element, insertions) in &self.elements {
            for (dot, (origin, of)) in insertions {
                lines.push(format!("{element} by {dot} {} of {}", at(Some(origin)), dots(of)));
            }
        }
        lines
    }
}

fn at(origin: Option<&Origin>) -> String {
    origin.map_or_else(|| "not arrived".into(), |o| format!("at {} by {}", o.time, o.author()))
}

fn dots(dots: &[Dot]) -> String {
    let ids: Vec<String> = dots.iter().map(Dot::to_string).collect();
    format!("[{}]", ids.join(" "))
}

/// What the model shows of every record of a snapshot.
pub fn forms_of(snapshot: &Snapshot) -> BTreeMap<EntityKey, EntityForm> {
    snapshot.records().map(|(key, record)| (key.clone(), EntityForm::of(record))).collect()
}

/// In which facts two sides differ, for people; empty if they are equal.
pub fn difference(left: &BTreeMap<EntityKey, EntityForm>, right: &BTreeMap<EntityKey, EntityForm>) -> String {
    let mut out = String::new();
    let keys: BTreeSet<&EntityKey> = left.keys().chain(right.keys()).collect();
    for key in keys.into_iter().filter(|key| left.get(key) != right.get(key)) {
        let lines = |side: &BTreeMap<EntityKey, EntityForm>| side.get(key).map(EntityForm::lines).unwrap_or_default();
        let (ours, theirs) = (lines(left), lines(right));
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{key}:");
        for line in ours.iter().filter(|line| !theirs.contains(line)) {
            let _ = writeln!(out, "  left  {line}");
        }
        for line in theirs.iter().filter(|line| !ours.contains(line)) {
            let _ = writeln!(out, "  right {line}");
        }
    }
    out
}
