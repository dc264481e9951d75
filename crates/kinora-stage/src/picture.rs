//! A frame in light: colours with what is known of each pixel, and how it becomes display values.

use glam::Vec3;
use multiversion::multiversion;

/// One frame, row-major.
#[derive(Debug)]
pub(crate) struct Picture {
    pub width: usize,
    pub height: usize,
    /// Linear light before `develop`, display values 0 to 1 after.
    pub colour: Vec<Vec3>,
    /// Metres along the viewing axis.
    pub depth: Vec<f32>,
    /// Of any length.
    pub normals: Vec<Vec3>,
    /// 0 for the set, k + 1 for actor k.
    pub owners: Vec<u8>,
    glow: Vec<Vec3>,
}

/// Pixels on a side of a cell of the glow.
const CELL: usize = 4;

impl Picture {
    pub fn new(width: usize, height: usize) -> Self {
        let count = width * height;
        Picture {
            width,
            height,
            colour: vec![Vec3::ZERO; count],
            depth: vec![f32::INFINITY; count],
            normals: vec![Vec3::ZERO; count],
            owners: vec![0; count],
            glow: Vec::new(),
        }
    }

    /// Puts down what is known of one pixel besides its colour.
    pub fn set(&mut self, pixel: usize, depth: f32, normal: Vec3, owner: u8) {
        self.depth[pixel] = depth;
        self.normals[pixel] = normal;
        self.owners[pixel] = owner;
    }

    /// Spreads a share of the light above 1 to its neighbours, as a lens does.
    pub fn bloom(&mut self, strength: f32) {
        let (columns, rows) = (self.width.div_ceil(CELL), self.height.div_ceil(CELL));
        self.glow.clear();
        self.glow.resize(columns * rows, Vec3::ZERO);
        let mut any = false;
        for (y, row) in self.colour.chunks_exact(self.width).enumerate() {
            for (x, c) in row
                .iter()
                .enumerate()
                .filter(|(_, c)| c.max_element() > 0.9)
            {
                any = true;
                self.glow[y / CELL * columns + x / CELL] +=
                    (c - 0.9).max(Vec3::ZERO) / (CELL * CELL) as f32;
            }
        }
        if !any {
            return;
        }
        for _ in 0..2 {
            blur(&mut self.glow, columns, rows);
        }
        // Two neighbouring cells and the share of the second, for each pixel along a side.
        let place = |pixel: usize, most: usize| {
            let at = ((pixel as f32 + 0.5) / CELL as f32 - 0.5).clamp(0.0, (most - 1) as f32);
            let low = at as usize;
            (low, (low + 1).min(most - 1), at - low as f32)
        };
        let across: Vec<_> = (0..self.width).map(|x| place(x, columns)).collect();
        let mut line = vec![Vec3::ZERO; columns];
        for (y, row) in self.colour.chunks_exact_mut(self.width).enumerate() {
            let (above, below, share) = place(y, rows);
            for (k, cell) in line.iter_mut().enumerate() {
                *cell = self.glow[above * columns + k].lerp(self.glow[below * columns + k], share)
                    * strength;
            }
            for (c, &(left, right, share)) in row.iter_mut().zip(&across) {
                *c += line[left].lerp(line[right], share);
            }
        }
    }

    /// Linear light to display values: a straight line up to mid-tones, so that colours keep, then a shoulder.
    pub fn develop(&mut self) {
        display_all(&mut self.colour);
    }

    /// The display values as RGB8.
    pub fn write(&self, out: &mut [u8]) {
        for (bytes, c) in out.chunks_exact_mut(3).zip(&self.colour) {
            bytes.copy_from_slice(&[c.x, c.y, c.z].map(|v| (v * 255.0 + 0.5) as u8));
        }
    }
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn display_all(colours: &mut [Vec3]) {
    for c in colours {
        *c = Vec3::new(display(c.x), display(c.y), display(c.z));
    }
}

/// Tone curve and sRGB encoding of one linear value.
#[inline(always)]
fn display(x: f32) -> f32 {
    const KNEE: f32 = 0.55;
    let over = (x - KNEE).max(0.0) / (1.0 - KNEE);
    let x = x.clamp(0.0, KNEE) + (1.0 - KNEE) * over / (1.0 + over);
    // sRGB within 0.3% by three square roots instead of a power.
    let a = x.sqrt();
    let b = a.sqrt();
    let c = b.sqrt();
    let curve = 0.585_122_4 * a + 0.783_140_36 * b - 0.368_262_74 * c;
    if x < 0.003_130_8 {
        12.92 * x
    } else {
        curve.min(1.0)
    }
}

/// Smooths a small picture by the kernel 1 2 3 2 1 both ways.
fn blur(cells: &mut [Vec3], columns: usize, rows: usize) {
    let mut line = Vec::with_capacity(columns.max(rows));
    let mut pass = |start: usize, step: usize, count: usize| {
        line.clear();
        line.extend((0..count).map(|i| cells[start + i * step]));
        let at = |i: isize| line[i.clamp(0, count as isize - 1) as usize];
        for i in 0..count {
            let k = i as isize;
            cells[start + i * step] =
                (at(k) * 3.0 + (at(k - 1) + at(k + 1)) * 2.0 + at(k - 2) + at(k + 2)) * (1.0 / 9.0);
        }
    };
    for y in 0..rows {
        pass(y * columns, 1, columns);
    }
    for x in 0..columns {
        pass(x, columns, rows);
    }
}
