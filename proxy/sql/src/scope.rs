//! Which relation a column belongs to: the scopes of a statement, as PostgreSQL nests them.
//!
//! A scope holds what its query's FROM list brought in, and knows the scope around it. Names of common table
//! expressions hang on scopes too, innermost first.

use std::borrow::Cow;
use std::cell::Cell;

use crate::ledger::{Ledger, UseId};
use crate::names::ColumnNames;

pub(crate) type ScopeId = usize;
pub(crate) type ItemId = usize;
pub(crate) type CommonId = usize;

/// The column names that an item of a FROM list has.
#[derive(Clone, Debug)]
pub(crate) enum Outputs<'t> {
    /// Those of the relation that the item reads.
    Relation,
    /// Exactly these.
    Exactly(Vec<Cow<'t, str>>),
    /// These, and maybe others.
    AtLeast(Vec<Cow<'t, str>>),
}

impl<'t> Outputs<'t> {
    pub(crate) fn unknown() -> Self {
        Outputs::AtLeast(Vec::new())
    }

    fn len(&self) -> usize {
        match self {
            Outputs::Relation => 0,
            Outputs::Exactly(names) | Outputs::AtLeast(names) => names.len(),
        }
    }

    fn has(&self, name: &str) -> Option<bool> {
        match self {
            Outputs::Relation => None,
            Outputs::Exactly(names) => Some(names.iter().any(|known| known == name)),
            Outputs::AtLeast(names) => names.iter().any(|known| known == name).then_some(true),
        }
    }

    /// The same columns under an alias's column list, which renames from the left.
    pub(crate) fn renamed(self, aliases: Vec<Cow<'t, str>>) -> Self {
        if aliases.is_empty() {
            return self;
        }
        let rest = |names: Vec<Cow<'t, str>>| {
            let skipped = names.into_iter().skip(aliases.len());
            aliases.iter().cloned().chain(skipped).collect()
        };
        match self {
            Outputs::Relation => Outputs::AtLeast(aliases),
            Outputs::Exactly(names) => Outputs::Exactly(rest(names)),
            // What stood at the renamed places is unknown, so nothing else is certain.
            Outputs::AtLeast(_) => Outputs::AtLeast(aliases),
        }
    }
}

/// One entry of a FROM list.
#[derive(Clone, Debug)]
pub(crate) struct Item<'t> {
    pub alias: Option<&'t str>,
    pub outputs: Outputs<'t>,
    /// The relation whose columns these are, where there is one.
    pub used: Option<UseId>,
    /// For an alias over a join: the items under it.
    pub members: Vec<ItemId>,
    /// Whether unqualified names find its columns.
    pub columns_visible: bool,
    /// Whether its relation was named without an alias, so that `schema.relation.column` finds it.
    pub bare: bool,
    /// An alias's column list renamed its columns: any use may be any column.
    pub renamed: bool,
    /// Relations that a FOR UPDATE on this item locks.
    pub locks: Vec<UseId>,
}

impl<'t> Item<'t> {
    pub(crate) fn new(alias: Option<&'t str>, outputs: Outputs<'t>) -> Self {
        Self {
            alias,
            outputs,
            used: None,
            members: Vec::new(),
            columns_visible: true,
            bare: false,
            renamed: false,
            locks: Vec::new(),
        }
    }
}

/// A common table expression in sight.
#[derive(Clone, Debug)]
struct Common<'t> {
    name: &'t str,
    outputs: Outputs<'t>,
    next: Option<CommonId>,
}

#[derive(Clone, Debug, Default)]
struct Scope {
    parent: Option<ScopeId>,
    items: Vec<ItemId>,
    commons: Option<CommonId>,
}

/// All scopes of one statement.
#[derive(Debug, Default)]
pub(crate) struct Scopes<'t> {
    scopes: Vec<Scope>,
    items: Vec<Item<'t>>,
    commons: Vec<Common<'t>>,
    /// Items and column names looked at or copied since the last reckoning.
    visits: Cell<usize>,
}

/// What came of looking for a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Placed {
    Certainly,
    /// Counted where it may belong, but it may be something else.
    Perhaps,
}

impl<'t> Scopes<'t> {
    /// A scope inside another, which it sees whole, names of common table expressions included.
    pub(crate) fn open(&mut self, parent: Option<ScopeId>) -> ScopeId {
        let commons = parent
            .and_then(|parent| self.scopes.get(parent))
            .and_then(|scope| scope.commons);
        self.open_with(parent, commons, Vec::new())
    }

    /// A scope that sees the given items, what is around `of`, and the common table expressions of `of`.
    pub(crate) fn open_beside(&mut self, of: ScopeId, items: Vec<ItemId>) -> ScopeId {
        let (parent, commons) = self
            .scopes
            .get(of)
            .map_or((None, None), |scope| (scope.parent, scope.commons));
        self.open_with(parent, commons, items)
    }

    fn open_with(
        &mut self,
        parent: Option<ScopeId>,
        commons: Option<CommonId>,
        items: Vec<ItemId>,
    ) -> ScopeId {
        self.visit(items.len() / 2);
        self.scopes.push(Scope {
            parent,
            items,
            commons,
        });
        self.scopes.len() - 1
    }

    /// What looking for columns cost since the last call.
    pub(crate) fn take_visits(&self) -> usize {
        self.visits.take()
    }

    fn visit(&self, items: usize) {
        self.visits.set(self.visits.get().saturating_add(items));
    }

    pub(crate) fn add_item(&mut self, item: Item<'t>) -> ItemId {
        self.items.push(item);
        self.items.len() - 1
    }

    pub(crate) fn item(&self, id: ItemId) -> Option<&Item<'t>> {
        self.items.get(id)
    }

    pub(crate) fn place(&mut self, scope: ScopeId, items: &[ItemId]) {
        if let Some(scope) = self.scopes.get_mut(scope) {
            scope.items.extend_from_slice(items);
        }
    }

    pub(crate) fn items_of(&self, scope: ScopeId) -> &[ItemId] {
        self.scopes.get(scope).map_or(&[], |scope| scope.items.as_slice())
    }

    pub(crate) fn add_common(&mut self, scope: ScopeId, name: &'t str, outputs: Outputs<'t>) -> CommonId {
        let id = self.commons.len();
        let next = self.scopes.get(scope).and_then(|scope| scope.commons);
        self.commons.push(Common { name, outputs, next });
        if let Some(scope) = self.scopes.get_mut(scope) {
            scope.commons = Some(id);
        }
        id
    }

    pub(crate) fn set_common(&mut self, id: CommonId, outputs: Outputs<'t>) {
        if let Some(common) = self.commons.get_mut(id) {
            common.outputs = outputs;
        }
    }

    /// The columns of a common table expression, if the name means one here.
    pub(crate) fn common(&self, scope: ScopeId, name: &str) -> Option<Outputs<'t>> {
        let mut next = self.scopes.get(scope)?.commons;
        let mut steps = 0;
        let mut found = None;
        while let Some(common) = next.and_then(|id| self.commons.get(id)) {
            if common.name == name {
                found = Some(common.outputs.clone());
                break;
            }
            next = common.next;
            steps += 1;
        }
        // Copied names count one by one: a query that reads the last one twice doubles them.
        self.visit(steps / 16 + found.as_ref().map_or(0, Outputs::len));
        found
    }

    /// Counts an unqualified column for every relation that has it, in the innermost scope where one has.
    pub(crate) fn column(&self, scope: ScopeId, name: &'t str, ledger: &mut Ledger<'t>) -> Placed {
        let mut perhaps = false;
        let mut next = Some(scope);
        while let Some(scope) = next.and_then(|id| self.scopes.get(id)) {
            let mut certain = false;
            for id in &scope.items {
                let Some(item) = self.items.get(*id).filter(|item| item.columns_visible) else {
                    continue;
                };
                match self.has(item, name, ledger) {
                    Some(true) => certain = true,
                    None => perhaps = true,
                    Some(false) => continue,
                }
                self.touch(*id, name, ledger);
            }
            if certain {
                return Placed::Certainly;
            }
            next = scope.parent;
        }
        // Only a relation's alias is left, for the whole row; else nobody can tell and everything counts.
        if !self.whole_row(scope, name, ledger) && !perhaps {
            self.everything(scope, ledger);
        }
        Placed::Perhaps
    }

    /// Counts a column for the items of this very scope that have it or may have it.
    pub(crate) fn column_here(&self, scope: ScopeId, name: &'t str, ledger: &mut Ledger<'t>) {
        for id in self.items_of(scope) {
            let Some(item) = self.items.get(*id).filter(|item| item.columns_visible) else {
                continue;
            };
            if self.has(item, name, ledger) != Some(false) {
                self.touch(*id, name, ledger);
            }
        }
    }

    /// Counts every column of the innermost item of that alias.
    fn whole_row(&self, scope: ScopeId, alias: &str, ledger: &mut Ledger<'t>) -> bool {
        let found = self.items_named(scope, None, alias, ledger);
        for id in &found {
            self.touch_whole(*id, ledger);
        }
        !found.is_empty()
    }

    /// Counts `alias.column`, or `schema.relation.column`.
    pub(crate) fn qualified(
        &self,
        scope: ScopeId,
        qualifier: Qualifier<'t>,
        name: &'t str,
        ledger: &mut Ledger<'t>,
    ) -> Placed {
        let found = self.items_named(scope, qualifier.schema, qualifier.relation, ledger);
        if found.is_empty() {
            self.everything(scope, ledger);
            return Placed::Perhaps;
        }
        let mut placed = Placed::Certainly;
        for id in found {
            let Some(item) = self.items.get(id) else { continue };
            match self.has(item, name, ledger) {
                Some(true) => self.touch(id, name, ledger),
                None => {
                    self.touch(id, name, ledger);
                    placed = Placed::Perhaps;
                }
                // Not a column: a function of the whole row in the notation of a column.
                Some(false) => {
                    self.touch_whole(id, ledger);
                    placed = Placed::Perhaps;
                }
            }
        }
        placed
    }

    /// Counts `alias.*`.
    pub(crate) fn star_of(&self, scope: ScopeId, qualifier: Qualifier<'t>, ledger: &mut Ledger<'t>) {
        let found = self.items_named(scope, qualifier.schema, qualifier.relation, ledger);
        if found.is_empty() {
            self.everything(scope, ledger);
        }
        for id in found {
            self.touch_whole(id, ledger);
        }
    }

    /// Counts `*`: all columns of this scope alone.
    pub(crate) fn star(&self, scope: ScopeId, ledger: &mut Ledger<'t>) {
        for id in self.items_of(scope) {
            self.touch_whole(*id, ledger);
        }
    }

    /// Counts every column of every relation in sight.
    pub(crate) fn everything(&self, scope: ScopeId, ledger: &mut Ledger<'t>) {
        let mut next = Some(scope);
        while let Some(scope) = next.and_then(|id| self.scopes.get(id)) {
            for id in &scope.items {
                self.touch_whole(*id, ledger);
            }
            next = scope.parent;
        }
    }

    /// Where the text reads the one relation that an alias stands for, its columns by their own names.
    pub(crate) fn relation_of(&self, scope: ScopeId, alias: &str, ledger: &Ledger<'t>) -> Option<UseId> {
        let found = self.items_named(scope, None, alias, ledger);
        let [id] = *found else { return None };
        let item = self.items.get(id)?;
        let plainly = matches!(item.outputs, Outputs::Relation) && !item.renamed && item.members.is_empty();
        item.used.filter(|_| plainly)
    }

    /// The items of that name in the innermost scope that has one.
    fn items_named(
        &self,
        scope: ScopeId,
        schema: Option<&str>,
        relation: &str,
        ledger: &Ledger<'t>,
    ) -> Vec<ItemId> {
        let mut next = Some(scope);
        while let Some(scope) = next.and_then(|id| self.scopes.get(id)) {
            self.visit(scope.items.len());
            let named = |id: &ItemId| {
                let Some(item) = self.items.get(*id) else {
                    return false;
                };
                item.alias == Some(relation) && schema.is_none_or(|schema| stands_in(item, schema, ledger))
            };
            let found: Vec<_> = scope.items.iter().copied().filter(named).collect();
            if !found.is_empty() {
                return found;
            }
            next = scope.parent;
        }
        Vec::new()
    }

    /// Whether an item has a column of that name; `None` where only the server knows.
    fn has(&self, item: &Item<'t>, name: &str, ledger: &Ledger<'t>) -> Option<bool> {
        self.visit(1 + item.outputs.len() / 16);
        let Outputs::Relation = item.outputs else {
            return item.outputs.has(name);
        };
        let candidates = item.used.map(|used| ledger.candidates(used)).unwrap_or_default();
        if is_system_column(name) {
            return None;
        }
        let mut answer = Some(false);
        for candidate in candidates {
            self.visit(candidate.columns.as_ref().map_or(0, ColumnNames::len) / 16);
            match candidate.has_column(name) {
                // Several places are possible: none of them is certain.
                Some(true) if candidates.len() == 1 => answer = Some(true),
                Some(false) => {}
                _ => return None,
            }
        }
        answer
    }

    pub(crate) fn touch(&self, id: ItemId, name: &'t str, ledger: &mut Ledger<'t>) {
        let Some(item) = self.items.get(id) else { return };
        if item.renamed {
            return self.touch_whole(id, ledger);
        }
        if let Some(used) = item.used {
            ledger.touch(used, name);
        }
        for member in &item.members {
            if let Some(inner) = self.items.get(*member)
                && self.has(inner, name, ledger) != Some(false)
            {
                self.touch(*member, name, ledger);
            }
        }
    }

    pub(crate) fn touch_whole(&self, id: ItemId, ledger: &mut Ledger<'t>) {
        self.visit(1);
        let Some(item) = self.items.get(id) else { return };
        if let Some(used) = item.used {
            ledger.touch_whole(used);
        }
        for member in &item.members {
            self.touch_whole(*member, ledger);
        }
    }

    /// The column names of `*` over the given items.
    pub(crate) fn outputs_of(&self, items: &[ItemId], ledger: &Ledger<'t>) -> Outputs<'t> {
        let mut names = Vec::new();
        let mut exact = true;
        for item in items
            .iter()
            .filter_map(|id| self.items.get(*id))
            .filter(|item| item.columns_visible)
        {
            match &item.outputs {
                Outputs::Exactly(known) => names.extend(known.iter().cloned()),
                Outputs::AtLeast(known) => {
                    names.extend(known.iter().cloned());
                    exact = false;
                }
                Outputs::Relation => {
                    let candidates = item.used.map(|used| ledger.candidates(used)).unwrap_or_default();
                    match candidates {
                        [candidate] => match &candidate.columns {
                            Some(ColumnNames::Catalogue(known)) => {
                                names.extend(known.iter().map(|name| Cow::Borrowed(name.as_str())));
                            }
                            Some(ColumnNames::Declared(known)) => names.extend(known.iter().cloned()),
                            None => exact = false,
                        },
                        _ => exact = false,
                    }
                }
            }
        }
        self.visit(names.len());
        if exact {
            Outputs::Exactly(names)
        } else {
            Outputs::AtLeast(names)
        }
    }

    /// The item of an alias in exactly this scope.
    pub(crate) fn item_in(&self, scope: ScopeId, alias: &str) -> Option<ItemId> {
        let named = |id: &&ItemId| self.items.get(**id).is_some_and(|item| item.alias == Some(alias));
        self.items_of(scope).iter().find(named).copied()
    }
}

/// What stands before a column's dot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Qualifier<'t> {
    pub schema: Option<&'t str>,
    pub relation: &'t str,
}

fn stands_in(item: &Item<'_>, schema: &str, ledger: &Ledger<'_>) -> bool {
    let candidates = item.used.map(|used| ledger.candidates(used)).unwrap_or_default();
    let own = crate::names::is_temporary(schema);
    item.bare
        && candidates.iter().any(|candidate| {
            *candidate.schema == *schema || (own && crate::names::is_temporary(&candidate.schema))
        })
}

fn is_system_column(name: &str) -> bool {
    matches!(name, "ctid" | "xmin" | "xmax" | "cmin" | "cmax" | "tableoid")
}
