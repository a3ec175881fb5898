/// A quantity that was measured several times.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Figure {
    pub(crate) least: f64,
    pub(crate) median: f64,
    pub(crate) most: f64,
}

impl Figure {
    /// Returns the figure of these samples, of which there is at least one.
    pub(crate) fn of<S>(samples: &[S], value: impl Fn(&S) -> f64) -> Self {
        let mut values: Vec<f64> = samples.iter().map(value).collect();
        values.sort_unstable_by(f64::total_cmp);
        let middle = values.len() / 2;
        let median = match values.len() % 2 {
            1 => values[middle],
            _ => f64::midpoint(values[middle - 1], values[middle]),
        };
        Self { least: values[0], median, most: values[values.len() - 1] }
    }
}
