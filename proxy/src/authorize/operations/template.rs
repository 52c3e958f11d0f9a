//! Paths with parameters in them, and which requests each means.

use std::collections::BTreeSet;

use postern_policies::path;

/// A path such as `/v1/invoices/{id}`.
#[derive(Debug)]
pub(super) struct Template {
    text: String,
    segments: Vec<Segment>,
}

/// What stands between two slashes: a text, or a text around one parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    before: String,
    /// A parameter, and what follows it.
    open: Option<(String, String)>,
}

/// How many segments a path has.
pub(super) fn length(path: &str) -> usize {
    path.split('/').skip(1).count()
}

impl Template {
    pub(super) fn read(text: &str) -> Result<Template, String> {
        let mut segments = Vec::new();
        let mut plain = String::new();
        for written in text.split('/').skip(1) {
            let segment = Segment::read(written)?;
            plain.push('/');
            plain.push_str(&segment.before);
            if let Some((_, after)) = &segment.open {
                plain.push('x');
                plain.push_str(after);
            }
            segments.push(segment);
        }
        match path::with_encoded_slashes(&plain) {
            Ok(spelled) if text.starts_with('/') && spelled == plain => {}
            Ok(spelled) => return Err(format!("`{text}` is spelled otherwise in requests: `{spelled}`")),
            Err(fault) => return Err(format!("no request has the path `{text}`: {fault}")),
        }
        let mut names = BTreeSet::new();
        let mut open = segments.iter().filter_map(|segment| segment.open.as_ref());
        match open.find(|(name, _)| !names.insert(name)) {
            Some((name, _)) => Err(format!("`{text}` has the parameter `{name}` twice")),
            None => Ok(Template {
                text: text.to_owned(),
                segments,
            }),
        }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The parameters, by the place of their segments.
    pub(super) fn parameters(&self) -> impl Iterator<Item = (usize, &str, &Segment)> {
        let segments = self.segments.iter().enumerate();
        segments.filter_map(|(place, segment)| {
            let (name, _) = segment.open.as_ref()?;
            Some((place, name.as_str(), segment))
        })
    }

    /// Whether a path, which has as many segments, is one of those.
    pub(super) fn means(&self, path: &str) -> bool {
        let mut pairs = self.segments.iter().zip(path.split('/').skip(1));
        pairs.all(|(segment, said)| segment.value(said).is_some())
    }

    /// Whether servers that fold letters, or take what follows a dot at the end for a format, could read a path as one
    /// of those.
    pub(super) fn may_mean(&self, path: &str) -> bool {
        let last = path.rsplit('/').next().unwrap_or_default();
        let without_format = last.split('.').next().unwrap_or_default();
        let others = self.segments.len().saturating_sub(1);
        [last, without_format].into_iter().any(|last| {
            let said = path.split('/').skip(1).take(others).chain([last]);
            let mut pairs = self.segments.iter().zip(said);
            pairs.all(|(segment, said)| segment.may_have(said))
        })
    }

    /// How many letters a path has at least.
    pub(super) fn letters(&self) -> usize {
        self.segments.iter().map(Segment::letters).sum()
    }

    /// Whether it means every path that the other means. Both have as many segments.
    pub(super) fn contains(&self, other: &Template) -> bool {
        let mut pairs = self.segments.iter().zip(&other.segments);
        pairs.all(|(mine, theirs)| mine.contains(theirs))
    }

    /// Whether some path may be meant by both.
    pub(super) fn overlaps(&self, other: &Template) -> bool {
        let mut pairs = self.segments.iter().zip(&other.segments);
        pairs.all(|(mine, theirs)| mine.overlaps(theirs))
    }
}

impl Segment {
    fn read(written: &str) -> Result<Segment, String> {
        let unclear = || format!("`{written}`: a segment has one `{{parameter}}` at most");
        let Some((before, rest)) = written.split_once('{') else {
            return match written.contains('}') {
                true => Err(unclear()),
                false => Ok(Segment {
                    before: written.to_owned(),
                    open: None,
                }),
            };
        };
        let (name, after) = rest.split_once('}').ok_or_else(unclear)?;
        if name.is_empty() || [before, name, after].iter().any(|part| part.contains(['{', '}'])) {
            return Err(unclear());
        }
        Ok(Segment {
            before: before.to_owned(),
            open: Some((name.to_owned(), after.to_owned())),
        })
    }

    /// Whether it has the shape of this one in letters of any case.
    fn may_have(&self, said: &str) -> bool {
        let Some((_, after)) = &self.open else {
            return self.before.eq_ignore_ascii_case(said);
        };
        let around = self.before.len() + after.len();
        let starts = said.get(..self.before.len());
        let ends = said
            .len()
            .checked_sub(after.len())
            .and_then(|end| said.get(end..));
        said.len() > around
            && starts.is_some_and(|start| start.eq_ignore_ascii_case(&self.before))
            && ends.is_some_and(|end| end.eq_ignore_ascii_case(after))
    }

    fn letters(&self) -> usize {
        let after = self.open.as_ref().map_or(0, |(_, after)| after.len());
        self.before.len() + after
    }

    /// What a segment of a request has in the place of the parameter, if it is of this shape; nothing is no value.
    pub(super) fn value<'s>(&self, said: &'s str) -> Option<&'s str> {
        let Some((_, after)) = &self.open else {
            return (self.before == said).then_some("");
        };
        let value = said
            .strip_prefix(self.before.as_str())?
            .strip_suffix(after.as_str())?;
        (!value.is_empty()).then_some(value)
    }

    fn contains(&self, other: &Segment) -> bool {
        match (&self.open, &other.open) {
            (_, None) => self.value(&other.before).is_some(),
            (None, Some(_)) => false,
            (Some((_, mine)), Some((_, theirs))) => {
                other.before.starts_with(&self.before) && theirs.ends_with(mine.as_str())
            }
        }
    }

    fn overlaps(&self, other: &Segment) -> bool {
        let agree = |one: &str, other: &str| one.starts_with(other) || other.starts_with(one);
        let agree_behind = |one: &str, other: &str| one.ends_with(other) || other.ends_with(one);
        match (&self.open, &other.open) {
            (Some((_, mine)), Some((_, theirs))) => {
                agree(&self.before, &other.before) && agree_behind(mine, theirs)
            }
            (_, None) => self.contains(other),
            (None, _) => other.contains(self),
        }
    }
}
