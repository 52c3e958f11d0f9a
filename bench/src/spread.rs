//! The middle of several rounds, with what it lies between.

use std::fmt;

#[derive(Clone, Copy, Debug, Default)]
pub struct Spread {
    pub least: f64,
    pub median: f64,
    pub greatest: f64,
}

impl Spread {
    pub fn of(figures: impl IntoIterator<Item = f64>) -> Spread {
        let mut figures: Vec<f64> = figures.into_iter().collect();
        figures.sort_by(f64::total_cmp);
        let at = |index: usize| figures.get(index).copied().unwrap_or_default();
        Spread {
            least: at(0),
            median: at(figures.len() / 2),
            greatest: at(figures.len().saturating_sub(1)),
        }
    }

    /// How many times the other's median, for a table; nothing beside nothing.
    pub fn beside(self, other: Option<Spread>) -> String {
        match other {
            Some(other) if other.median > 0.0 => format!("{:.2}×", self.median / other.median),
            _ => String::new(),
        }
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = formatter
            .precision()
            .unwrap_or(if self.median < 100.0 { 2 } else { 0 });
        write!(
            formatter,
            "{:.digits$} ({:.digits$}–{:.digits$})",
            self.median, self.least, self.greatest
        )
    }
}
