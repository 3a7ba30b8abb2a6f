//! How strongly does an input move a figure? Rank measures, which ask for no shape but more-is-more.

/// Spearman's rank correlation of pairs, −1 to 1, ties at their mean rank; `None` below three pairs, or where either side
/// never varies (Spearman 1904; Kendall, *Rank Correlation Methods*, §3).
pub fn spearman(x: &[f64], y: &[f64]) -> Option<f64> {
    let (x, y) = (ranks(x), ranks(y));
    let n = x.len().min(y.len());
    if n < 3 {
        return None;
    }
    // Ranks have the mean (n + 1) / 2, whatever the ties.
    let middle = (n as f64 + 1.0) / 2.0;
    let sum = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - middle) * (b - middle)).sum::<f64>();
    let below = (sum(&x, &x) * sum(&y, &y)).sqrt();
    (below > 0.0).then(|| sum(&x, &y) / below)
}

/// The correlation ratio ε of the ranks of `y` over `groups`, 0 to 1, for inputs that have no order: the square root of the
/// share of their variance that lies between the groups, less what would lie there by luck alone (Kelley, *Proceedings of
/// the National Academy of Sciences* 21, 1935). `None` where each value has a group of its own.
pub fn correlation_ratio(groups: &[usize], y: &[f64]) -> Option<f64> {
    let y = ranks(y);
    let n = y.len().min(groups.len());
    if n < 3 {
        return None;
    }
    let middle = (n as f64 + 1.0) / 2.0;
    let all: f64 = y.iter().map(|y| (y - middle) * (y - middle)).sum();
    let count = groups.iter().max().map_or(0, |&max| max + 1);
    let mut sums = vec![(0.0, 0.0); count];
    for (&group, y) in groups.iter().zip(&y) {
        sums[group].0 += y - middle;
        sums[group].1 += 1.0;
    }
    sums.retain(|(_, n)| *n > 0.0);
    let between: f64 = sums.iter().map(|(sum, n)| sum * sum / n).sum();
    if sums.len() == n || all == 0.0 {
        return None;
    }
    let left = (1.0 - between / all) * (n - 1) as f64 / (n - sums.len()) as f64;
    Some((1.0 - left).max(0.0).sqrt())
}

/// The rank of each value, from 1; equals share their mean.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut before = 0;
    for equals in order.chunk_by(|&a, &b| values[a] == values[b]) {
        let shared = before as f64 + (equals.len() as f64 + 1.0) / 2.0;
        equals.iter().for_each(|&i| ranks[i] = shared);
        before += equals.len();
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_grows_together_in_any_shape_is_one() {
        let x = [1.0, 2.0, 3.0, 4.0];
        assert_eq!(spearman(&x, &[1.0, 10.0, 100.0, 1000.0]), Some(1.0));
        assert_eq!(spearman(&x, &[4.0, 3.0, 2.0, 1.0]), Some(-1.0));
        assert_eq!(spearman(&x, &[7.0; 4]), None, "what never varies is moved by nothing");
        assert_eq!(spearman(&x[..2], &x[..2]), None);
    }

    #[test]
    fn a_published_example_comes_out() {
        // IQ and hours of television of ten people: ρ = −29/165 (a table found in many textbooks).
        let iq = [106.0, 100.0, 86.0, 101.0, 99.0, 103.0, 97.0, 113.0, 112.0, 110.0];
        let hours = [7.0, 27.0, 2.0, 50.0, 28.0, 29.0, 20.0, 12.0, 6.0, 17.0];
        assert!((spearman(&iq, &hours).unwrap() + 29.0 / 165.0).abs() < 1e-12);
    }

    #[test]
    fn equals_share_their_rank() {
        assert_eq!(ranks(&[3.0, 1.0, 3.0, 2.0]), [3.5, 1.0, 3.5, 2.0]);
    }

    #[test]
    fn groups_that_explain_all_are_one_and_groups_that_explain_nothing_are_zero() {
        assert_eq!(correlation_ratio(&[0, 0, 1, 1], &[1.0, 1.0, 5.0, 5.0]), Some(1.0));
        assert_eq!(correlation_ratio(&[0, 1, 0, 1], &[1.0, 1.0, 5.0, 5.0]), Some(0.0));
        assert_eq!(
            correlation_ratio(&[0, 1, 2, 3], &[1.0, 2.0, 5.0, 6.0]),
            None,
            "a word for each value explains anything"
        );
    }
}
