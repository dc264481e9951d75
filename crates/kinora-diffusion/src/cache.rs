//! What a network need not compute again at a step that differs little from one before.

use burn::tensor::Tensor;

/// First-block cache, as ParaAttention and diffusers 0.42.1 (`first_block_cache.py`) have it: while what the first block of a
/// network adds has changed little since the other blocks were last run, they add what they added then.
///
/// Steps are compared with the last one that was run whole, so small changes add up until they are noticed. Inputs of
/// another shape are run whole.
#[derive(Clone, Debug)]
pub struct FirstBlock<const D: usize> {
    /// The mean change, in shares of the mean of what was added, below which the other blocks are left out; 0 is never.
    threshold: f64,
    last: Option<Added<D>>,
}

/// What was added at the last step that was run whole.
#[derive(Clone, Debug)]
struct Added<const D: usize> {
    /// By the first block.
    first: Tensor<D>,
    /// By all others.
    rest: Tensor<D>,
}

impl<const D: usize> FirstBlock<D> {
    /// A cache that has seen nothing.
    pub fn new(threshold: f64) -> Self {
        Self {
            threshold,
            last: None,
        }
    }

    /// What is behind the last block, of `x` before the first block and `behind` behind it; `rest` runs the other blocks.
    pub fn run(
        &mut self,
        x: Tensor<D>,
        behind: Tensor<D>,
        rest: impl FnOnce(Tensor<D>) -> Tensor<D>,
    ) -> Tensor<D> {
        let first = behind.clone() - x;
        if let Some(last) = self.last.as_ref().filter(|last| self.is_near(&first, last)) {
            return behind + last.rest.clone();
        }
        let end = rest(behind.clone());
        self.last = Some(Added {
            first,
            rest: end.clone() - behind,
        });
        end
    }

    fn is_near(&self, first: &Tensor<D>, last: &Added<D>) -> bool {
        if first.dims() != last.first.dims() {
            return false;
        }
        let mean = |x: Tensor<D>| x.abs().mean().into_scalar::<f64>();
        let change = mean(first.clone() - last.first.clone());
        change < self.threshold * mean(last.first.clone())
    }
}
