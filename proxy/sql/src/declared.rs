//! What the earlier statements of a text made of names, for the statements after them.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crate::Rejection;
use crate::names::{Candidate, Names, Path, is_temporary};

/// How many search paths one text may make possible.
const PATHS_MAX: usize = 8;

/// What the text has made so far.
#[derive(Debug, Default)]
pub(crate) struct Declared<'t> {
    pub relations: HashMap<Cow<'t, str>, Vec<DeclaredRelation<'t>>>,
    pub routines: BTreeSet<(Arc<str>, String)>,
    pub types: BTreeSet<(Arc<str>, String)>,
    pub operators: BTreeSet<(Arc<str>, String)>,
    pub schemas: BTreeSet<Arc<str>>,
    /// Existing relations that were dropped, renamed or moved away.
    pub removed: BTreeSet<(Arc<str>, String)>,
    /// Existing relations whose columns the text changed.
    pub altered: BTreeSet<(Arc<str>, String)>,
    pub columns_moved: BTreeSet<(Arc<str>, String)>,
}

#[derive(Clone, Debug)]
pub(crate) struct DeclaredRelation<'t> {
    pub schema: Arc<str>,
    pub columns: Option<Arc<[Cow<'t, str>]>>,
    pub origin: Option<(Arc<str>, Arc<str>)>,
}

impl<'t> Names<'t> {
    pub(crate) fn declare_relation(
        &mut self,
        schema: Arc<str>,
        name: Cow<'t, str>,
        columns: Option<Vec<Cow<'t, str>>>,
    ) {
        self.declares = true;
        let temporary = is_temporary(&schema);
        let declared = DeclaredRelation {
            schema,
            columns: columns.map(Arc::from),
            origin: None,
        };
        self.declared.relations.entry(name).or_default().push(declared);
        if temporary {
            self.add_temporary_schema();
        }
    }

    /// A relation gets another name or schema: what policies say of the old name stays true of it.
    pub(crate) fn declare_moved(&mut self, from: &Candidate<'t>, schema: Arc<str>, name: &'t str) {
        self.declares = true;
        let old = (from.schema.clone(), Arc::from(from.name));
        self.declared
            .removed
            .insert((from.schema.clone(), from.name.to_owned()));
        let origin = from.origin.clone().or(Some(old));
        if is_temporary(&schema) {
            self.add_temporary_schema();
        }
        let declared = DeclaredRelation {
            schema,
            columns: None,
            origin,
        };
        self.declared
            .relations
            .entry(Cow::Borrowed(name))
            .or_default()
            .push(declared);
    }

    pub(crate) fn declare_unsettled(&mut self) {
        self.declares = true;
        self.unsettled = true;
    }

    pub(crate) fn declare_removed(&mut self, schema: Arc<str>, name: &str) {
        self.declares = true;
        if let Some(known) = self.declared.relations.get_mut(name) {
            known.retain(|known| known.schema != schema);
        }
        self.declared.removed.insert((schema, name.to_owned()));
    }

    pub(crate) fn declare_altered(&mut self, schema: Arc<str>, name: &str) {
        self.declares = true;
        self.declared.altered.insert((schema, name.to_owned()));
    }

    pub(crate) fn declare_columns_moved(&mut self, schema: Arc<str>, name: &str) {
        self.declare_altered(schema.clone(), name);
        self.declared.columns_moved.insert((schema, name.to_owned()));
    }

    pub(crate) fn declare_routine(&mut self, schema: Arc<str>, name: &str) {
        self.declares = true;
        self.declared.routines.insert((schema, name.to_owned()));
    }

    pub(crate) fn declare_type(&mut self, schema: Arc<str>, name: &str) {
        self.declares = true;
        self.declared.types.insert((schema, name.to_owned()));
    }

    pub(crate) fn declare_operator(&mut self, schema: Arc<str>, name: &str) {
        self.declares = true;
        self.declared.operators.insert((schema, name.to_owned()));
    }

    /// A new schema may stand on the raw search path already, in front of all others.
    pub(crate) fn declare_schema(&mut self, schema: Arc<str>) -> Result<(), Rejection> {
        self.declares = true;
        if self.catalogue.schemas.contains_key(&*schema) || !self.declared.schemas.insert(schema.clone()) {
            return Ok(());
        }
        let mut longer = self.paths.clone();
        for path in &mut longer {
            path.insert(0, Cow::Owned(schema.to_string()));
        }
        self.add_paths(longer)
    }

    /// The search path may be this one from here on; a rollback may also bring the old one back.
    pub(crate) fn declare_path(&mut self, names: Option<Vec<String>>, role: &str) -> Result<(), Rejection> {
        self.declares = true;
        let Some(names) = names else {
            self.path_unknown = true;
            return Ok(());
        };
        let mut path: Path<'t> = Vec::new();
        for name in names {
            let name = match name.as_str() {
                "$user" => role.to_owned(),
                "pg_temp" => self.temporary_schema().to_string(),
                _ => name,
            };
            let absent = name == role && !self.catalogue.schemas.contains_key(&name);
            if !absent && !path.iter().any(|known| *known == name) {
                path.push(Cow::Owned(name));
            }
        }
        if !path.iter().any(|schema| schema == "pg_catalog") {
            path.insert(0, Cow::Borrowed("pg_catalog"));
        }
        if self.has_temporary_schema() && !path.iter().any(|schema| is_temporary(schema)) {
            path.insert(0, Cow::Owned(self.temporary_schema().to_string()));
        }
        self.add_paths(vec![path])
    }

    fn add_paths(&mut self, paths: Vec<Path<'t>>) -> Result<(), Rejection> {
        for path in paths {
            if !self.paths.contains(&path) {
                self.paths.push(path);
            }
        }
        if self.paths.len() > PATHS_MAX {
            return Err(Rejection::TooLarge {
                limit: "search paths in one text",
                limit_count: PATHS_MAX,
            });
        }
        Ok(())
    }

    fn add_temporary_schema(&mut self) {
        if self.has_temporary_schema() {
            return;
        }
        for path in &mut self.paths {
            path.insert(0, Cow::Borrowed("pg_temp"));
        }
    }
}
