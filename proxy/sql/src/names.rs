//! Which object a name means, on one upstream connection: the catalogue, the search path, and what earlier statements
//! of the same text declared.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use crate::catalogue::{Catalogue, Relation};
use crate::declared::{Declared, DeclaredRelation};
use crate::scope::Outputs;
use crate::{Reading, Rejection, built_in};

/// Schema names in search order, implicit ones included.
pub(crate) type Path<'t> = Vec<Cow<'t, str>>;

/// A relation that a name may mean.
#[derive(Clone, Debug)]
pub(crate) struct Candidate<'t> {
    pub schema: Arc<str>,
    pub name: &'t str,
    pub relation: Option<&'t Relation>,
    /// Known columns, or `None` where only the server knows them.
    pub columns: Option<ColumnNames<'t>>,
    /// The name it had before this text renamed it: a policy on the old name still holds.
    pub origin: Option<(Arc<str>, Arc<str>)>,
    /// The text renamed one of its columns, so a column's name proves nothing.
    pub columns_moved: bool,
}

#[derive(Clone, Debug)]
pub(crate) enum ColumnNames<'t> {
    Catalogue(&'t [String]),
    Declared(Arc<[Cow<'t, str>]>),
}

impl<'t> Candidate<'t> {
    /// The columns as something that a scope can hold.
    pub(crate) fn outputs(&self) -> Outputs<'t> {
        match &self.columns {
            Some(ColumnNames::Catalogue(names)) => {
                Outputs::Exactly(names.iter().map(|name| Cow::Borrowed(name.as_str())).collect())
            }
            Some(ColumnNames::Declared(names)) => Outputs::Exactly(names.to_vec()),
            None => Outputs::unknown(),
        }
    }
}

impl ColumnNames<'_> {
    pub(crate) fn len(&self) -> usize {
        match self {
            ColumnNames::Catalogue(names) => names.len(),
            ColumnNames::Declared(names) => names.len(),
        }
    }

    pub(crate) fn contains(&self, name: &str) -> bool {
        match self {
            ColumnNames::Catalogue(names) => names.iter().any(|known| known == name),
            ColumnNames::Declared(names) => names.iter().any(|known| known == name),
        }
    }

    pub(crate) fn for_each(&self, mut visit: impl FnMut(&str)) {
        match self {
            ColumnNames::Catalogue(names) => names.iter().for_each(|name| visit(name)),
            ColumnNames::Declared(names) => names.iter().for_each(|name| visit(name)),
        }
    }
}

/// Resolves names for one text.
pub(crate) struct Names<'t> {
    pub catalogue: &'t Catalogue,
    /// Every search path that may be in force.
    pub paths: Vec<Path<'t>>,
    pub declared: Declared<'t>,
    /// An earlier statement of the text declared something.
    pub declares: bool,
    /// An earlier statement of the text set the search path to something that only the server knows.
    pub path_unknown: bool,
    /// A whole schema may have another name: no relation is certain.
    pub unsettled: bool,
    pub unread: BTreeSet<String>,
    /// The schema whose CREATE SCHEMA is read: what its elements create stands there, and is found there.
    pub within: Option<Arc<str>>,
}

impl<'t> Names<'t> {
    pub(crate) fn new(reading: &Reading<'t>) -> Self {
        let path = reading
            .search_path
            .iter()
            .map(|schema| Cow::Borrowed(schema.as_str()))
            .collect();
        Self {
            catalogue: reading.catalogue,
            paths: vec![path],
            declared: Declared::default(),
            declares: false,
            path_unknown: false,
            unsettled: false,
            unread: BTreeSet::new(),
            within: None,
        }
    }

    /// The relations that a name may mean: one if it is known, else one for each place it could stand in.
    pub(crate) fn relations(
        &mut self,
        schema: Option<&'t str>,
        name: &'t str,
    ) -> Result<Vec<Candidate<'t>>, Rejection> {
        if self.unsettled {
            return Err(Rejection::moved(name));
        }
        if let Some(schema) = schema {
            let schema = self.schema_named(schema);
            self.note_unread(&schema);
            return Ok(vec![self.candidate(schema, name)]);
        }
        if self.path_unknown {
            return Err(Rejection::moved(name));
        }
        if let Some(neighbour) = self.neighbour(name) {
            return Ok(vec![neighbour]);
        }
        if self.declares {
            return self.relations_after_moves(name);
        }
        let path = self.paths.first().map_or(&[][..], Vec::as_slice);
        let found = self.search(path, name, Time::Before);
        let found = self.or_everywhere(found, path, name);
        for candidate in &found {
            self.note_unread(&candidate.schema);
        }
        Ok(found)
    }

    /// Only a schema of which the text has said nothing is known to be new: an older one may be gone with all it held.
    pub(crate) fn enter_schema(&mut self, schema: Arc<str>) {
        let mut declared = self.declared.relations.values().flatten();
        let is_new = !declared.any(|known| known.schema == schema);
        self.within = is_new.then_some(schema);
    }

    /// An earlier element of the same CREATE SCHEMA: only temporary relations and PostgreSQL's own could hide it.
    fn neighbour(&self, name: &'t str) -> Option<Candidate<'t>> {
        let schema = self.within.as_ref()?;
        self.declared_relation(schema, name)?;
        let mut path = self.paths.iter().flatten();
        let hides = |place: &Cow<'_, str>| {
            (place == "pg_catalog" || is_temporary(place))
                && !self
                    .search(std::slice::from_ref(place), name, Time::After)
                    .is_empty()
        };
        (!path.any(hides)).then(|| self.candidate(schema.clone(), name))
    }

    /// A name after a statement of the same text that may have moved it: every possible reading must agree.
    fn relations_after_moves(&mut self, name: &'t str) -> Result<Vec<Candidate<'t>>, Rejection> {
        let mut agreed: Vec<Candidate<'t>> = Vec::new();
        let mut existing: Option<Vec<Arc<str>>> = None;
        let mut everywhere = Vec::new();
        let paths = self.paths.clone();
        for path in &paths {
            let path = path.as_slice();
            let before = self.search(path, name, Time::Before);
            let after = self.search(path, name, Time::After);
            if !before.is_empty() {
                let places: Vec<_> = before.iter().map(|candidate| candidate.schema.clone()).collect();
                let agrees = existing.get_or_insert_with(|| places.clone()) == &places;
                let moved = after.iter().any(|candidate| !places.contains(&candidate.schema));
                if !agrees || moved {
                    return Err(Rejection::moved(name));
                }
            } else if existing.is_some() && after.is_empty() {
                return Err(Rejection::moved(name));
            }
            for candidate in after.into_iter().chain(before) {
                if !agreed.iter().any(|known| known.schema == candidate.schema) {
                    agreed.push(candidate);
                }
            }
            everywhere.extend(path.iter().cloned());
        }
        if let Some(places) = existing
            && agreed.iter().any(|candidate| !places.contains(&candidate.schema))
        {
            return Err(Rejection::moved(name));
        }
        let found = self.or_everywhere(agreed, &everywhere, name);
        for candidate in &found {
            self.note_unread(&candidate.schema);
        }
        Ok(found)
    }

    fn search(&self, path: &[Cow<'t, str>], name: &'t str, time: Time) -> Vec<Candidate<'t>> {
        let mut found = Vec::new();
        for schema in path {
            let known = self.catalogue.schemas.get(schema.as_ref());
            let exists = known.is_some_and(|known| known.relations.contains_key(name));
            let place = || -> Arc<str> { Arc::from(schema.as_ref()) };
            let exists = match time {
                Time::Before => exists,
                Time::After => {
                    (exists && !self.declared.removed.contains(&(place(), name.to_owned())))
                        || self.declared_relation(schema, name).is_some()
                }
            };
            if exists {
                found.push(self.candidate(place(), name));
                return found;
            }
            let unread = known.is_none_or(|known| known.relations.is_empty());
            if schema == "pg_catalog" && unread {
                // Nobody else may create in PostgreSQL's own schema: our list of it is enough.
                if built_in::is_relation(name) {
                    found.push(self.candidate(place(), name));
                    return found;
                }
            } else if known.is_none()
                && !self.declared.schemas.contains(schema.as_ref())
                && schema != "pg_temp"
            {
                found.push(self.candidate(place(), name));
            }
        }
        found
    }

    /// Nothing of that name is known: the server will say so, if the policy lets the question pass.
    fn or_everywhere(
        &self,
        mut found: Vec<Candidate<'t>>,
        path: &[Cow<'t, str>],
        name: &'t str,
    ) -> Vec<Candidate<'t>> {
        let certain = |candidate: &Candidate<'_>| {
            candidate.relation.is_some() || candidate.columns.is_some() || &*candidate.schema == "pg_catalog"
        };
        if found.iter().any(certain) || (!found.is_empty() && self.declares) {
            return found;
        }
        for schema in path {
            let known = found.iter().any(|candidate| *candidate.schema == **schema);
            if schema != "pg_catalog" && !known && !is_temporary(schema) {
                found.push(self.candidate(Arc::from(schema.as_ref()), name));
            }
        }
        if found.is_empty() {
            found.push(self.candidate(Arc::from("pg_catalog"), name));
        }
        found
    }

    fn candidate(&self, schema: Arc<str>, name: &'t str) -> Candidate<'t> {
        let relation = self.catalogue.relation(&schema, name);
        let mut columns = relation
            .filter(|relation| !relation.columns.is_empty())
            .map(|relation| ColumnNames::Catalogue(&relation.columns));
        let mut origin = None;
        let mut columns_moved = false;
        if self.declares {
            let key = (schema.clone(), name.to_owned());
            columns_moved = self.declared.columns_moved.contains(&key);
            if self.declared.altered.contains(&key) {
                columns = None;
            }
            if let Some(declared) = self.declared_relation(&schema, name) {
                origin.clone_from(&declared.origin);
                // Whether the old or the new relation is meant depends on what the server did: their columns differ.
                columns = match (relation, &declared.columns) {
                    (None, Some(names)) => Some(ColumnNames::Declared(names.clone())),
                    _ => None,
                };
            }
        }
        Candidate {
            schema,
            name,
            relation,
            columns,
            origin,
            columns_moved,
        }
    }

    fn declared_relation(&self, schema: &str, name: &str) -> Option<&DeclaredRelation<'t>> {
        self.declared
            .relations
            .get(name)?
            .iter()
            .rev()
            .find(|known| *known.schema == *schema)
    }

    /// The schema that a name in the text means: `pg_temp` stands for this session's own.
    pub(crate) fn schema_named(&self, schema: &str) -> Arc<str> {
        if schema == "pg_temp" {
            self.temporary_schema()
        } else {
            Arc::from(schema)
        }
    }

    pub(crate) fn temporary_schema(&self) -> Arc<str> {
        let own = self.paths.iter().flatten().find(|schema| is_temporary(schema));
        Arc::from(own.map_or("pg_temp", |schema| schema.as_ref()))
    }

    /// Where an object without a schema would be created; several if the text may have moved the path.
    pub(crate) fn creation_schemas(&self) -> Vec<Arc<str>> {
        if let Some(schema) = &self.within {
            return vec![schema.clone()];
        }
        let mut places: Vec<Arc<str>> = Vec::new();
        for path in &self.paths {
            let place = path
                .iter()
                .find(|schema| *schema != "pg_catalog" && !is_temporary(schema));
            if let Some(place) = place
                && !places.iter().any(|known| **known == **place)
            {
                places.push(Arc::from(place.as_ref()));
            }
        }
        places
    }

    pub(crate) fn has_temporary_schema(&self) -> bool {
        self.paths.iter().flatten().any(|schema| is_temporary(schema))
    }

    fn note_unread(&mut self, schema: &str) {
        let known = self.catalogue.schemas.contains_key(schema) || self.declared.schemas.contains(schema);
        let own = matches!(
            schema,
            "pg_catalog" | "information_schema" | "pg_toast" | "pg_temp"
        );
        if !known && !own {
            self.unread.insert(schema.to_owned());
        }
    }

    /// Schemas outside `pg_catalog`, other than the temporary one, in which a routine of that name stands.
    pub(crate) fn user_routines(&mut self, schema: Option<&str>, name: &str) -> Vec<Arc<str>> {
        self.user_objects(schema, name, Sort::Routine)
    }

    pub(crate) fn user_operators(&mut self, schema: Option<&str>, name: &str) -> Vec<Arc<str>> {
        self.user_objects(schema, name, Sort::Operator)
    }

    pub(crate) fn user_types(&mut self, schema: Option<&str>, name: &str) -> Vec<Arc<str>> {
        self.user_objects(schema, name, Sort::Type)
    }

    /// Whether `pg_catalog` is known to hold a routine, type or operator beyond our own list.
    pub(crate) fn pg_catalog_holds(&self, name: &str) -> bool {
        self.catalogue.schemas.get("pg_catalog").is_some_and(|schema| {
            schema.routines.contains(name) || schema.types.contains(name) || schema.operators.contains(name)
        })
    }

    /// The routines outside `pg_catalog` that a cast to a type may run.
    pub(crate) fn casts_to(&self, schema: &str, name: &str) -> Vec<(Arc<str>, String)> {
        let casts = self
            .catalogue
            .schemas
            .get(schema)
            .and_then(|schema| schema.casts.get(name));
        let owned = |(schema, name): &(String, String)| (Arc::from(schema.as_str()), name.clone());
        casts.into_iter().flatten().map(owned).collect()
    }

    fn user_objects(&mut self, schema: Option<&str>, name: &str, sort: Sort) -> Vec<Arc<str>> {
        let mut found: Vec<Arc<str>> = Vec::new();
        if let Some(schema) = schema {
            let schema = self.schema_named(schema);
            if &*schema != "pg_catalog" {
                self.note_unread(&schema);
                found.push(schema);
            }
            return found;
        }
        if self.path_unknown {
            let schemas = self
                .catalogue
                .schemas
                .keys()
                .map(String::as_str)
                .filter(|schema| *schema != "pg_catalog");
            return schemas
                .filter(|schema| self.holds(schema, name, sort))
                .map(Arc::from)
                .collect();
        }
        let mut unread = Vec::new();
        for schema in self.paths.iter().flatten() {
            let searched = schema != "pg_catalog" && (matches!(sort, Sort::Type) || !is_temporary(schema));
            if !searched || found.iter().any(|known| **known == **schema) {
                continue;
            }
            if self.holds(schema, name, sort) {
                found.push(Arc::from(schema.as_ref()));
            } else if !self.catalogue.schemas.contains_key(schema.as_ref()) {
                unread.push(schema.clone());
            }
        }
        for schema in unread {
            self.note_unread(&schema);
        }
        found
    }

    fn holds(&self, schema: &str, name: &str, sort: Sort) -> bool {
        let declared = self.declares && {
            let key = (Arc::from(schema), name.to_owned());
            match sort {
                Sort::Routine => self.declared.routines.contains(&key),
                Sort::Operator => self.declared.operators.contains(&key),
                Sort::Type => {
                    self.declared.types.contains(&key) || self.declared_relation(schema, name).is_some()
                }
            }
        };
        declared
            || self
                .catalogue
                .schemas
                .get(schema)
                .is_some_and(|known| match sort {
                    Sort::Routine => known.routines.contains(name),
                    Sort::Operator => known.operators.contains(name),
                    Sort::Type => known.types.contains(name) || known.relations.contains_key(name),
                })
    }

    /// All schemas of the path that routines are searched in.
    pub(crate) fn routine_schemas(&self) -> Vec<Arc<str>> {
        let mut schemas: Vec<Arc<str>> = Vec::new();
        for schema in self.paths.iter().flatten() {
            let searched = schema != "pg_catalog" && !is_temporary(schema);
            if searched && !schemas.iter().any(|known| **known == **schema) {
                schemas.push(Arc::from(schema.as_ref()));
            }
        }
        schemas
    }
}

#[derive(Clone, Copy)]
enum Time {
    Before,
    After,
}

#[derive(Clone, Copy)]
enum Sort {
    Routine,
    Operator,
    Type,
}

pub(crate) fn is_temporary(schema: &str) -> bool {
    schema == "pg_temp" || schema.starts_with("pg_temp_")
}
