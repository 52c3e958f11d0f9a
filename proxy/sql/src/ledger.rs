//! What the statements of a text touched, collected and turned into effects.

use std::collections::{BTreeSet, HashMap};
use std::hash::BuildHasher;
use std::sync::Arc;

use crate::effect::{Action, Change, Effect, Object};
use crate::names::{Candidate, ColumnNames};

/// From how many effects on a table of hashes is quicker than looking through them.
const EFFECTS_SEARCHED_MAX: usize = 32;

/// One place where the text names a relation to read from.
pub(crate) type UseId = usize;

/// A relation as one place in the text reads it.
#[derive(Debug)]
struct Use<'t> {
    candidates: Vec<Candidate<'t>>,
    columns: Vec<&'t str>,
    whole: bool,
    /// Naming it is already a read, even when no column is touched.
    named: bool,
}

/// What one statement touched so far.
#[derive(Debug, Default)]
pub(crate) struct Ledger<'t> {
    uses: Vec<Use<'t>>,
    effects: Vec<Effect>,
    /// Where effects stand, by their hash; kept only once there are many.
    places: Places,
    pub changes: Vec<Change>,
    pub relations: BTreeSet<(Arc<str>, Arc<str>)>,
    /// A routine, type or operator outside `pg_catalog`, or a statement that leaves something behind.
    pub leaves_something: bool,
    pub moves_names: bool,
}

/// How a relation is named in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Named {
    /// In FROM: its rows are read.
    ToRead,
    /// As the target of a write: only what is touched is read.
    AsTarget,
}

impl<'t> Ledger<'t> {
    pub(crate) fn read(&mut self, candidates: Vec<Candidate<'t>>, named: Named) -> UseId {
        for candidate in &candidates {
            self.note(candidate);
        }
        let id = self.uses.len();
        self.uses.push(Use {
            candidates,
            columns: Vec::new(),
            whole: false,
            named: named == Named::ToRead,
        });
        id
    }

    /// Remembers that the statement names a relation, and what touching it may do to the session.
    pub(crate) fn note(&mut self, candidate: &Candidate<'t>) {
        self.relations
            .insert((candidate.schema.clone(), Arc::from(candidate.name)));
        // The views of `information_schema` call routines beside them that nobody else can change.
        let own = &*candidate.schema == "information_schema";
        // A relation that the catalogue does not know may be newer than it, and run anything.
        if !own && candidate.relation.is_none_or(|relation| relation.runs_code) {
            self.leaves_something = true;
            self.moves_names = true;
        }
    }

    pub(crate) fn candidates(&self, id: UseId) -> &[Candidate<'t>] {
        self.uses.get(id).map_or(&[], |used| used.candidates.as_slice())
    }

    pub(crate) fn touch(&mut self, id: UseId, column: &'t str) {
        let Some(used) = self.uses.get_mut(id) else { return };
        if used.candidates.iter().any(|candidate| candidate.columns_moved) {
            used.whole = true;
        }
        // Repetitions far apart are sorted out at the end.
        if !used.columns.iter().rev().take(16).any(|known| *known == column) {
            used.columns.push(column);
        }
    }

    pub(crate) fn touch_whole(&mut self, id: UseId) {
        if let Some(used) = self.uses.get_mut(id) {
            used.whole = true;
        }
    }

    pub(crate) fn add(&mut self, effect: Effect) {
        match self
            .place_of(&effect)
            .and_then(|place| self.effects.get_mut(place))
        {
            Some(known) => {
                known.columns.extend(effect.columns);
                known.rows_only &= effect.rows_only;
            }
            None => {
                if !self.places.is_empty() {
                    let hash = hash_of(&effect, &self.places);
                    self.places.entry(hash).or_default().push(self.effects.len());
                }
                self.effects.push(effect);
            }
        }
    }

    /// Where an effect of the same action on the same object stands.
    fn place_of(&mut self, effect: &Effect) -> Option<usize> {
        if self.effects.len() < EFFECTS_SEARCHED_MAX {
            return self.effects.iter().position(|known| is_alike(known, effect));
        }
        if self.places.is_empty() {
            for (place, known) in self.effects.iter().enumerate() {
                let hash = hash_of(known, &self.places);
                self.places.entry(hash).or_default().push(place);
            }
        }
        let places = self.places.get(&hash_of(effect, &self.places))?;
        places.iter().copied().find(|place| {
            self.effects
                .get(*place)
                .is_some_and(|known| is_alike(known, effect))
        })
    }

    /// An effect on a relation under every place the name may mean, and on its ancestors.
    pub(crate) fn add_on(&mut self, candidates: &[Candidate<'t>], effect: &Effect) {
        for candidate in candidates {
            self.note(candidate);
            self.add(Effect {
                object: candidate.object(),
                ..effect.clone()
            });
            if let Some((schema, name)) = &candidate.origin {
                let object = Object::Table {
                    schema: schema.clone(),
                    name: name.clone(),
                };
                self.add(Effect {
                    object,
                    ..effect.clone()
                });
            }
        }
    }

    /// Everything that was touched, as effects; reads come from their uses.
    pub(crate) fn into_effects(mut self, kin: &Kin<'_>) -> Finished {
        for used in std::mem::take(&mut self.uses) {
            if used.named || used.whole || !used.columns.is_empty() {
                self.add_reads(&used);
            }
        }
        let mut implied = Vec::new();
        for effect in &self.effects {
            kin.implied_by(effect, &mut implied);
        }
        for effect in implied {
            self.add(effect);
        }
        Finished {
            effects: self.effects,
            changes: self.changes,
            relations: self.relations,
            leaves_something: self.leaves_something,
            moves_names: self.moves_names,
        }
    }

    fn add_reads(&mut self, used: &Use<'t>) {
        for candidate in &used.candidates {
            let mut effect = Effect::new(Action::Select, candidate.object());
            effect.columns = used.columns.iter().map(|column| Arc::from(*column)).collect();
            if used.whole {
                candidate.all_columns(&mut effect.columns);
            }
            effect.rows_only = effect.columns.is_empty();
            if is_toast(&candidate.schema) {
                self.add(every_table());
            }
            if let Some((schema, name)) = &candidate.origin {
                let object = Object::Table {
                    schema: schema.clone(),
                    name: name.clone(),
                };
                self.add(Effect {
                    object,
                    ..effect.clone()
                });
            }
            self.add(effect);
        }
    }
}

/// What is left of a ledger once its statement is over.
pub(crate) struct Finished {
    pub effects: Vec<Effect>,
    pub changes: Vec<Change>,
    pub relations: BTreeSet<(Arc<str>, Arc<str>)>,
    pub leaves_something: bool,
    pub moves_names: bool,
}

fn is_alike(one: &Effect, other: &Effect) -> bool {
    one.action == other.action
        && one.object == other.object
        && one.detail == other.detail
        && one.filtered == other.filtered
        && one.implied == other.implied
}

type Places = HashMap<u64, Vec<usize>, foldhash::fast::RandomState>;

fn hash_of(effect: &Effect, places: &Places) -> u64 {
    places.hasher().hash_one((
        effect.action,
        &effect.object,
        &effect.detail,
        effect.filtered,
        effect.implied,
    ))
}

/// The effect of reading a relation that only the server will know.
pub(crate) fn every_table() -> Effect {
    let mut effect = Effect::new(Action::Select, Object::EveryTable);
    effect.columns.insert(Arc::from("*"));
    effect
}

fn is_toast(schema: &str) -> bool {
    schema == "pg_toast" || schema.starts_with("pg_toast_temp_")
}

impl Candidate<'_> {
    pub(crate) fn object(&self) -> Object {
        Object::Table {
            schema: self.schema.clone(),
            name: Arc::from(self.name),
        }
    }

    pub(crate) fn all_columns(&self, columns: &mut BTreeSet<Arc<str>>) {
        match &self.columns {
            Some(names) => names.for_each(|name| {
                columns.insert(Arc::from(name));
            }),
            None => {
                if let Some(relation) = self.relation {
                    columns.extend(relation.columns.iter().map(|name| Arc::from(name.as_str())));
                }
                columns.insert(Arc::from("*"));
            }
        }
    }

    /// Whether the relation has a column of that name; `None` where only the server knows.
    pub(crate) fn has_column(&self, name: &str) -> Option<bool> {
        self.columns
            .as_ref()
            .map(|columns: &ColumnNames<'_>| columns.contains(name))
    }
}

/// Who inherits from whom.
pub(crate) struct Kin<'c> {
    pub catalogue: &'c crate::Catalogue,
    /// Tables that every naming in the statement marks ONLY.
    pub only: BTreeSet<(Arc<str>, Arc<str>)>,
}

/// How many relatives of one relation are followed.
const KIN_MAX: usize = 100_000;

impl Kin<'_> {
    /// What an effect on one relation means for its ancestors and descendants: their forbids hold for it.
    fn implied_by(&self, effect: &Effect, implied: &mut Vec<Effect>) {
        let Object::Table { schema, name } = &effect.object else {
            return;
        };
        let Some(relation) = self.catalogue.relation(schema, name) else {
            return;
        };
        let mut seen: BTreeSet<(&str, &str)> = BTreeSet::new();
        seen.insert((schema, name));
        let mut above: Vec<&(String, String)> = relation.parents.iter().chain(&relation.serves).collect();
        while let Some((schema, name)) = above.pop() {
            if seen.insert((schema, name)) && seen.len() < KIN_MAX {
                implied.push(on_kin(effect, schema, name));
                if let Some(relation) = self.catalogue.relation(schema, name) {
                    above.extend(relation.parents.iter().chain(&relation.serves));
                }
            }
        }
        if !self.only.contains(&(schema.clone(), name.clone())) {
            for (schema, name) in self.catalogue.descendants(schema, name) {
                if seen.insert((schema, name)) && seen.len() < KIN_MAX {
                    implied.push(on_kin(effect, schema, name));
                }
            }
        }
    }
}

fn on_kin(effect: &Effect, schema: &str, name: &str) -> Effect {
    let object = Object::Table {
        schema: Arc::from(schema),
        name: Arc::from(name),
    };
    Effect {
        object,
        implied: true,
        detail: effect.detail.clone(),
        ..effect.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn effects_on_one_object_are_one_effect() {
        let mut ledger = Ledger::default();
        for column in ["a", "b"] {
            let mut effect = Effect::new(Action::Update, Object::Database);
            effect.columns.insert(Arc::from(column));
            ledger.add(effect);
        }
        let kin = Kin {
            catalogue: &crate::Catalogue::default(),
            only: BTreeSet::new(),
        };
        assert_eq!(ledger.into_effects(&kin).effects.len(), 1);
    }
}
