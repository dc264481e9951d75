//! Which samples a part may cover: the convex outline of its projected bounds.

use crate::lens::Lens;
use crate::part::Shape;
use crate::raster::{Pattern, Placed};
use glam::{Vec2, Vec3};

/// Up to 24 points whose convex hull is a part's outline on the picture.
pub(crate) struct Outline {
    points: [Vec2; 24],
    count: usize,
}

impl Outline {
    pub fn of(placed: &Placed, lens: &Lens) -> Self {
        let mut outline = Outline {
            points: [Vec2::ZERO; 24],
            count: 0,
        };
        let m = &placed.part.transform;
        let centre = lens.view(m.translation.into());
        let [x, y, z] = [m.matrix3.x_axis, m.matrix3.y_axis, m.matrix3.z_axis]
            .map(|axis| lens.turn(axis.into()));
        let mut corners = [Vec3::ZERO; 8];
        let corners = match placed.part.shape {
            Shape::Sphere | Shape::Cube | Shape::Cylinder => {
                for (i, corner) in corners.iter_mut().enumerate() {
                    let sign = |bit: usize| if i >> bit & 1 == 0 { -1.0 } else { 1.0 };
                    *corner = centre + sign(0) * x + sign(1) * y + sign(2) * z;
                }
                &corners[..]
            }
            Shape::Cone => {
                let base = centre - y;
                corners[..5].copy_from_slice(&[
                    base - x - z,
                    base + x - z,
                    base - x + z,
                    base + x + z,
                    centre + y,
                ]);
                &corners[..5]
            }
            Shape::Quad => {
                corners[..4].copy_from_slice(&[
                    centre - x - z,
                    centre + x - z,
                    centre - x + z,
                    centre + x + z,
                ]);
                &corners[..4]
            }
            Shape::Triangle => {
                corners[..3].copy_from_slice(&[centre - x - y, centre + x - y, centre + y]);
                &corners[..3]
            }
        };
        let near = lens.closest();
        for (i, &a) in corners.iter().enumerate() {
            if a.z >= near {
                outline.push(lens.flatten(a));
                continue;
            }
            // Every line from a hidden to a seen corner, edge or not, is inside the solid: its cut adds no excess.
            for &b in corners
                .iter()
                .enumerate()
                .filter(|(k, b)| *k != i && b.z >= near)
                .map(|(_, b)| b)
            {
                let cut = a + (b - a) * ((near - a.z) / (b.z - a.z));
                outline.push(lens.flatten(Vec3::new(cut.x, cut.y, near)));
            }
        }
        outline
    }

    fn push(&mut self, point: Vec2) {
        self.points[self.count] = point;
        self.count += 1;
    }

    /// Fills `spans` with the outline's left and right bound on each sample row it crosses, and returns those rows.
    pub fn spans(
        &mut self,
        height: usize,
        pattern: Pattern,
        spans: &mut Vec<(f32, f32)>,
    ) -> Option<std::ops::Range<usize>> {
        /// Slack in pixels against rounding; the exact test of each sample makes good for it.
        const SLACK: f32 = 0.01;
        let points = &mut self.points[..self.count];
        points.sort_unstable_by(|a, b| a.y.total_cmp(&b.y));
        let (top, bottom) = (points.first()?.y, points.last()?.y);
        let per = pattern.0.len() as f32;
        // Row r lies at y = (r + 1/2) / per in both patterns.
        let row_at = |y: f32| (y * per - 0.5).clamp(-1.0, height as f32 * per);
        let first = row_at(top - SLACK).ceil() as usize;
        let end = (row_at(bottom + SLACK).floor() + 1.0).clamp(0.0, height as f32 * per) as usize;
        if first >= end {
            return None;
        }
        spans.clear();
        spans.resize(end - first, (f32::INFINITY, f32::NEG_INFINITY));
        for side in [1.0f32, -1.0] {
            // The left (side 1) or right (side -1) chain of the hull, from top to bottom.
            let mut chain = [Vec2::ZERO; 24];
            let mut length = 0;
            for &point in points.iter() {
                while length >= 2
                    && side
                        * (chain[length - 1] - chain[length - 2])
                            .perp_dot(point - chain[length - 1])
                        >= 0.0
                {
                    length -= 1;
                }
                chain[length] = point;
                length += 1;
            }
            for edge in chain[..length].windows(2) {
                let (a, b) = (edge[0], edge[1]);
                let slope = (b.x - a.x) / (b.y - a.y).max(1e-6);
                let from = (row_at(a.y - SLACK).ceil() as usize).max(first);
                let to = ((row_at(b.y + SLACK).floor() + 1.0).max(0.0) as usize).min(end);
                for row in from..to {
                    let y = ((row as f32 + 0.5) / per).clamp(a.y, b.y);
                    let x = a.x + (y - a.y) * slope;
                    let span = &mut spans[row - first];
                    *span = (span.0.min(x - SLACK), span.1.max(x + SLACK));
                }
            }
        }
        Some(first..end)
    }
}
