//! Replaces the deflater and the inflater if the feature `deflate` is off. No value of these types exists.

use std::convert::Infallible;

use super::{CompressionLevel, ContextParams, InflateError, Step, WindowBits};

#[derive(Debug)]
pub(crate) struct Deflater(Infallible);

#[derive(Debug)]
pub(crate) struct Inflater(Infallible);

impl Deflater {
    pub(crate) fn new(_context: ContextParams, _level: CompressionLevel) -> Option<Self> {
        None
    }

    pub(crate) fn keeps_context(&self) -> bool {
        match self.0 {}
    }

    pub(crate) fn context_bytes(&self) -> usize {
        match self.0 {}
    }

    pub(crate) fn window_bits(&self) -> WindowBits {
        match self.0 {}
    }

    pub(crate) fn deflate(&mut self, _payload: &[u8], _last: bool) -> Vec<u8> {
        match self.0 {}
    }

    pub(crate) fn deflate_alone(&self, _payload: &[u8]) -> Vec<u8> {
        match self.0 {}
    }

    pub(crate) fn restart(&mut self) {
        match self.0 {}
    }

    pub(crate) fn release_unused(&mut self) {
        match self.0 {}
    }

    pub(crate) fn release(&mut self) {
        match self.0 {}
    }

    pub(crate) fn is_held(&self) -> bool {
        match self.0 {}
    }
}

impl Inflater {
    pub(crate) fn new(_context: ContextParams) -> Option<Self> {
        None
    }

    pub(crate) fn inflate(&mut self, _input: &[u8], _out: &mut [u8]) -> Step {
        match self.0 {}
    }

    pub(crate) fn finish(&mut self) -> Result<(), InflateError> {
        match self.0 {}
    }

    pub(crate) fn held_bytes(&self) -> usize {
        match self.0 {}
    }

    pub(crate) fn release_unused(&mut self) {
        match self.0 {}
    }

    pub(crate) fn release(&mut self) {
        match self.0 {}
    }

    pub(crate) fn is_held(&self) -> bool {
        match self.0 {}
    }
}
