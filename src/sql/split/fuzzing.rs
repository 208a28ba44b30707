//! The way in for `fuzz/`: a splitter whose reads are small, so that every place of a text is once the end of one.

use std::io::Read;

use super::Splitter;

impl<R: Read> Splitter<R> {
    /// Reads so many bytes at once.
    pub fn in_chunks(mut self, chunk: usize) -> Self {
        self.window.chunk = chunk.max(1);
        self
    }
}
