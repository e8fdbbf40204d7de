//! What a cluster costs as it grows: documents, shards, nodes. See `docs/growth.md`.

pub mod cluster;
pub mod index;
pub mod load;
pub mod workload;

/// The straight line through some points with the least squares: slope, and height at 0. `None` without two different x.
pub fn line_through(points: &[(f64, f64)]) -> Option<(f64, f64)> {
    let count = points.len() as f64;
    let mean_x = points.iter().map(|point| point.0).sum::<f64>() / count;
    let mean_y = points.iter().map(|point| point.1).sum::<f64>() / count;
    let (mut products, mut squares) = (0.0, 0.0);
    for (x, y) in points {
        products += (x - mean_x) * (y - mean_y);
        squares += (x - mean_x) * (x - mean_x);
    }
    let slope = products / squares;
    (squares > 0.0).then_some((slope, mean_y - slope * mean_x))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_found_again() {
        let points = [1.0, 2.0, 4.0, 8.0].map(|x| (x, 3.0 + 0.5 * x));
        let (slope, height) = line_through(&points).unwrap();
        assert!((slope - 0.5).abs() < 1e-12 && (height - 3.0).abs() < 1e-12);
        assert_eq!(line_through(&points[..1]), None);
        assert_eq!(line_through(&[]), None);
    }
}
