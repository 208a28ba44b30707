//! The values of one column: usual ones at random, and distinct ones by number.

pub mod choice;
pub mod number;
pub mod of_column;
mod of_text;
pub mod special;
pub mod text;

use self::choice::Choice;
use self::number::{Number, digits};
use self::special::Geometry;
use self::text::Text;
use super::draw::{Draw, mix, mix60};

/// What a column's values look like.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// Integers, decimals, bits, dates and times.
    Number(Number),
    /// Text.
    Text(Text),
    /// Bytes, written as hexadecimal digits: the usual lengths, and within how many bytes distinct ones differ.
    Bytes {
        /// The shortest usual length.
        low: usize,
        /// The longest usual length.
        high: usize,
        /// Distinct values differ within so many first bytes.
        distinct_within: usize,
    },
    /// One of a few values.
    Choice(Choice),
    /// Mostly a few common values, else another shape. The share of the common ones is in 2^-32.
    Common(u32, Choice, Box<Shape>),
    /// About so many different values of another shape.
    Few(u64, Box<Shape>),
    /// A JSON object.
    Json,
    /// A geometry as well-known text.
    Geometry(Geometry),
    /// A UUID.
    Uuid,
    /// An IPv4 address.
    Inet4,
    /// An IPv6 address.
    Inet6,
    /// A vector with so many dimensions.
    Vector(usize),
}

/// How a value's text becomes the column's value in `LOAD DATA`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// As it is.
    Plain,
    /// Through an expression over a user variable; `@` in it stands for the variable.
    Through(String),
}

impl Shape {
    /// How many different values [`nth`](Self::nth) can give.
    pub fn capacity(&self) -> u64 {
        match self {
            Self::Number(number) => number.capacity(),
            Self::Text(text) => text.capacity(),
            Self::Bytes { high, distinct_within, .. } => match (*high).min(*distinct_within) {
                width @ 0..8 => 256_u64.pow(width as u32),
                _ => u64::MAX,
            },
            Self::Choice(choice) => choice.capacity(),
            Self::Common(_, _, rest) | Self::Few(_, rest) => rest.capacity(),
            Self::Json | Self::Inet6 => u64::MAX,
            Self::Vector(_) => 1,
            Self::Geometry(_) => 1_300_000 * 1_300_000,
            Self::Uuid => 1 << 60,
            Self::Inet4 => 1 << 24,
        }
    }

    /// The shape that writes distinct values for the numbers below `count`, differing within `prefix` characters.
    pub fn distinct(self, count: u64, prefix: Option<usize>) -> Self {
        match self {
            Self::Common(_, _, rest) | Self::Few(_, rest) => rest.distinct(count, prefix),
            Self::Text(mut text) => {
                text.distinct_within = text.distinct_within.min(prefix.unwrap_or(usize::MAX));
                Self::Text(text.distinct(count))
            }
            Self::Bytes { low, high, distinct_within } => {
                Self::Bytes { low, high, distinct_within: distinct_within.min(prefix.unwrap_or(usize::MAX)) }
            }
            other => other,
        }
    }

    /// A usual value. `part` is where in the table the row stands: its number and the number of rows.
    #[inline]
    pub fn random(&self, draw: &mut Draw, seed: u64, part: (u64, u64), out: &mut Vec<u8>) {
        match self {
            Self::Number(number) => number.random(draw, part, out),
            Self::Text(text) => text.random(draw, out),
            Self::Bytes { low, high, .. } => {
                let length = draw.between(*low, *high);
                text::hex(draw, 2 * length, out);
            }
            Self::Choice(choice) => choice.random(draw, out),
            Self::Common(share, choice, rest) => {
                if draw.chance(*share) {
                    choice.random(draw, out);
                } else {
                    rest.random(draw, seed, part, out);
                }
            }
            Self::Few(count, rest) => {
                let which = draw.below(*count);
                rest.random(&mut Draw::new(!seed, which), seed, (which, *count), out);
            }
            Self::Json => special::json(part.0, draw, out),
            Self::Geometry(geometry) => geometry.write(draw.bits() % 1_690_000_000_000, out),
            Self::Uuid => text::uuid(draw.bits() >> 4, draw.bits(), out),
            Self::Inet4 => text::address(draw.below(1 << 24), out),
            Self::Inet6 => special::inet6(draw.bits(), out),
            Self::Vector(dimensions) => special::vector(*dimensions, draw, out),
        }
    }

    /// The value number `index`, different from all others below [`capacity`](Self::capacity).
    pub fn nth(&self, index: u64, seed: u64, out: &mut Vec<u8>) {
        let mut draw = Draw::new(seed, index);
        match self {
            Self::Number(number) => number.nth(index, out),
            Self::Text(text) => text.nth(index, seed, out),
            Self::Bytes { low, high, distinct_within } => {
                let width = (*high).min(*distinct_within).min(8);
                let code = if width == 8 { mix(index) } else { index };
                text::hex_of(code, 2 * width, out);
                let length = draw.between(*low, *high).max(width);
                text::hex(&mut draw, 2 * (length - width), out);
            }
            Self::Choice(choice) => choice.nth(index, out),
            Self::Common(_, _, rest) | Self::Few(_, rest) => rest.nth(index, seed, out),
            Self::Json => special::json(index, &mut draw, out),
            Self::Geometry(geometry) => geometry.write(index, out),
            Self::Uuid => text::uuid(mix60(index), mix(index ^ seed), out),
            Self::Inet4 => text::address(index, out),
            Self::Inet6 => special::inet6(index, out),
            Self::Vector(dimensions) => special::vector(*dimensions, &mut draw, out),
        }
    }

    /// The number shape inside, for those who narrow it.
    pub fn number_mut(&mut self) -> Option<&mut Number> {
        match self {
            Self::Number(number) => Some(number),
            Self::Common(_, _, rest) | Self::Few(_, rest) => rest.number_mut(),
            _ => None,
        }
    }
}

/// Writes the next number of a counter: rows count from 1.
#[inline]
pub fn counter(row: u64, out: &mut Vec<u8>) {
    digits(row + 1, out);
}
