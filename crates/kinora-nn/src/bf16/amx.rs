//! Products of packed bfloat16 pairs in the tile registers of Intel's AMX, some ten times as fast
//! as the vector instruction.
//!
//! A tile holds 16 rows of 64 bytes. One instruction adds the product of 16 rows of 16 pairs and 16
//! rows of 16 columns of pairs to a tile of 16 x 16 sums. Four tiles of sums are kept at a time.
//! (Intel 64 and IA-32 Architectures Software Developer's Manual, volume 1, chapter 18.)

use std::arch::asm;
use std::arch::x86_64::__cpuid_count;
use std::sync::LazyLock;

/// Rows and columns of the four tiles of sums.
pub(super) const ROWS: usize = 32;
const COLS: usize = super::COLS;
/// Pairs of the inner extent that a tile holds.
pub(super) const PAIRS: usize = 16;

/// Whether the processor has the tiles and the system lets this process use them.
pub(super) fn available() -> bool {
    static ALLOWED: LazyLock<bool> = LazyLock::new(|| {
        const BF16_AND_TILES: u32 = 1 << 22 | 1 << 24;
        let features = __cpuid_count(7, 0).edx;
        features & BF16_AND_TILES == BF16_AND_TILES && permitted()
    });
    *ALLOWED
}

/// Asks the kernel for the tiles' state, which it hands out on request only
/// (`Documentation/arch/x86/xstate.rst` of Linux).
#[cfg(target_os = "linux")]
fn permitted() -> bool {
    const ARCH_REQ_XCOMP_PERM: libc::c_long = 0x1023;
    const TILE_DATA: libc::c_long = 18;
    // SAFETY: the call takes two numbers and touches no memory of ours.
    unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, TILE_DATA) == 0 }
}

#[cfg(not(target_os = "linux"))]
fn permitted() -> bool {
    false
}

/// The shape of each tile register, as the instruction reads it.
#[repr(C, align(64))]
struct Shapes {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    row_bytes: [u16; 16],
    rows: [u8; 16],
}

/// The tile registers of this thread, set up; they are given back when it is dropped.
pub(super) struct Tiles(());

impl Tiles {
    /// Sets the registers up. The processor must have them, see [`available`].
    pub(super) fn new() -> Self {
        assert!(available(), "this processor has no matrix tiles");
        let mut shapes = Shapes {
            palette: 1,
            start_row: 0,
            reserved: [0; 14],
            row_bytes: [0; 16],
            rows: [0; 16],
        };
        shapes.row_bytes[..8].fill(64);
        shapes.rows[..8].fill(16);
        // SAFETY: the processor has the instruction, asserted above; it reads the 64 bytes.
        unsafe { asm!("ldtilecfg [{}]", in(reg) &shapes, options(nostack, readonly)) };
        Self(())
    }

    /// Adds the product of `ROWS` packed rows, `pairs` words apart, and a packed panel to the
    /// first `rows` rows and `cols` columns of `out`, whose rows begin `stride` apart. `pairs` is a
    /// multiple of [`PAIRS`].
    pub(super) fn add(
        &self,
        left: &[u32],
        right: &[u32],
        pairs: usize,
        out: &mut [f32],
        [rows, cols, stride]: [usize; 3],
    ) {
        assert!(
            pairs > 0
                && pairs.is_multiple_of(PAIRS)
                && left.len() >= ROWS * pairs
                && right.len() >= pairs * COLS
                && rows <= ROWS
                && cols <= COLS
                && out.len() >= (rows - 1) * stride + cols
        );
        if rows == ROWS && cols == COLS {
            // SAFETY: the extents were asserted above, and `self` shows that the tiles are set up.
            unsafe { add_tiles(left, right, pairs, out.as_mut_ptr(), stride) };
            return;
        }
        let mut whole = [0.0; ROWS * COLS];
        // SAFETY: as above, with a whole destination of its own.
        unsafe { add_tiles(left, right, pairs, whole.as_mut_ptr(), COLS) };
        for (out, sums) in out.chunks_mut(stride).zip(whole.chunks(COLS)).take(rows) {
            for (out, sum) in out.iter_mut().zip(&sums[..cols]) {
                *out += sum;
            }
        }
    }
}

impl Drop for Tiles {
    fn drop(&mut self) {
        // SAFETY: `new` has run, so the processor has the instruction.
        unsafe { asm!("tilerelease", options(nostack, nomem)) };
    }
}

/// Adds `ROWS` x `COLS` sums to what is at `out`.
///
/// # Safety
/// The tiles must be set up on this thread; `pairs` is a multiple of [`PAIRS`] and not zero; `left`
/// holds `ROWS * pairs` words, `right` `pairs * COLS`, and `out` reaches to row `ROWS - 1`,
/// column `COLS - 1`.
unsafe fn add_tiles(left: &[u32], right: &[u32], pairs: usize, out: *mut f32, stride: usize) {
    let left = left.as_ptr();
    let out_bytes = 4 * stride;
    // SAFETY: each load and store lies in what the caller promises: 16 rows from `left` and from
    // `left + 16 * pairs`, 64 bytes at a time; 16 pairs of rows of `right` at a time; and the
    // four quarters of the destination. The registers named are all that change.
    unsafe {
        asm!(
            "tileloadd tmm0, [{upper} + {out_bytes}]",
            "tileloadd tmm1, [{upper} + {out_bytes} + 64]",
            "tileloadd tmm2, [{lower} + {out_bytes}]",
            "tileloadd tmm3, [{lower} + {out_bytes} + 64]",
            "2:",
            "tileloadd tmm4, [{first} + {row_bytes}]",
            "tileloadd tmm6, [{right} + {panel_bytes}]",
            "tdpbf16ps tmm0, tmm4, tmm6",
            "tileloadd tmm7, [{right} + {panel_bytes} + 64]",
            "tdpbf16ps tmm1, tmm4, tmm7",
            "tileloadd tmm5, [{second} + {row_bytes}]",
            "tdpbf16ps tmm2, tmm5, tmm6",
            "tdpbf16ps tmm3, tmm5, tmm7",
            "add {first}, 64",
            "add {second}, 64",
            "add {right}, {step}",
            "dec {blocks}",
            "jnz 2b",
            "tilestored [{upper} + {out_bytes}], tmm0",
            "tilestored [{upper} + {out_bytes} + 64], tmm1",
            "tilestored [{lower} + {out_bytes}], tmm2",
            "tilestored [{lower} + {out_bytes} + 64], tmm3",
            upper = in(reg) out,
            lower = in(reg) out.add(16 * stride),
            out_bytes = in(reg) out_bytes,
            first = inout(reg) left => _,
            second = inout(reg) left.add(16 * pairs) => _,
            row_bytes = in(reg) 4 * pairs,
            right = inout(reg) right.as_ptr() => _,
            panel_bytes = in(reg) 4 * COLS,
            step = const 4 * COLS * PAIRS,
            blocks = inout(reg) pairs / PAIRS => _,
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
            out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
            options(nostack),
        );
    }
}
