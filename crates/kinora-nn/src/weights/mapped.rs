//! Files as memory, without reading them.

use super::WeightsError;
use memmap2::{Mmap, UncheckedAdvice};
use std::fs::File;
use std::ops::{Deref, Range};
use std::path::Path;

/// The bytes of a file; what is never looked at is never read.
#[derive(Debug)]
pub struct Mapped(Mmap);

impl Mapped {
    /// Maps an ordinary file.
    ///
    /// # Errors
    /// [`WeightsError::Io`] when it can't be opened or is something else.
    pub fn open(path: &Path) -> Result<Self, WeightsError> {
        let failed = |source| WeightsError::Io {
            action: "read",
            path: path.to_owned(),
            source,
        };
        let file = File::open(path).map_err(failed)?;
        if !file.metadata().map_err(failed)?.is_file() {
            let reason = "it is not an ordinary file";
            let source = std::io::Error::new(std::io::ErrorKind::InvalidInput, reason);
            return Err(failed(source));
        }
        // SAFETY: the map is read-only and private to this value. If another program cuts the file meanwhile, a read
        // ends this process with a bus error, as it would for any program that maps files; weights are not cut while
        // they are used.
        let map = unsafe { Mmap::map(&file) };
        map.map(Self).map_err(failed)
    }
}

impl Mapped {
    /// Gives back the memory that whole pages of this range hold; what is looked at again is read again.
    pub(super) fn release(&self, range: Range<usize>) {
        const PAGE: usize = 4096;
        let start = range.start.next_multiple_of(PAGE);
        let end = range.end / PAGE * PAGE;
        if start < end {
            // SAFETY: the map is of a file and never written to, so the pages that are dropped come back the same. A
            // system that refuses has only kept them.
            let _ = unsafe {
                self.0
                    .unchecked_advise_range(UncheckedAdvice::DontNeed, start, end - start)
            };
        }
    }
}

impl Deref for Mapped {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.0
    }
}
