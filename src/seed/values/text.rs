//! Text that looks like what its column's name promises, and that can be made distinct under any collation.

use super::super::draw::{Draw, mix, mix60};
use super::number::{digits, padded};

/// What a text looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Words with spaces.
    Words,
    /// A person's or thing's name: a few capitalised words.
    Name,
    /// Words joined by hyphens.
    Slug,
    /// `https://…`
    Url,
    /// `…@example.com`
    Email,
    /// Hexadecimal digits, always at full length.
    Hex,
    /// A UUID with its hyphens.
    Uuid,
    /// Digits.
    Digits,
    /// `10.…`: an IPv4 address.
    Address,
}

/// Texts of `low` to `high` characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// Characters that the column takes.
    pub max: usize,
    /// The shortest usual length.
    pub low: usize,
    /// The longest usual length.
    pub high: usize,
    /// What they look like.
    pub style: Style,
    /// Distinct texts differ within so many first characters.
    pub distinct_within: usize,
    /// How a distinct text writes its number: digits of it, all of the same count.
    code: Code,
}

/// A number written with a fixed count of digits, so that no two numbers look alike. Decimal where it fits: no
/// collation calls two digits equal, or joins two of them into one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Code {
    base: u64,
    width: usize,
}

const LONGEST_CODE: usize = 12;
const SYMBOLS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

impl Text {
    /// Texts of this look; lengths are clamped into what the column takes.
    pub fn new(max: usize, low: usize, high: usize, style: Style) -> Self {
        let high = high.min(max);
        let text =
            Self { max, low: low.min(high), high, style, distinct_within: max, code: Code { base: 36, width: 1 } };
        text.distinct(1)
    }

    /// How many different texts there can be (as far as anybody would count).
    pub fn capacity(&self) -> u64 {
        match self.style {
            Style::Uuid if self.distinct_within >= 36 => 1 << 60,
            _ => 36_u64.pow(self.distinct_within.min(LONGEST_CODE) as u32),
        }
    }

    /// The same texts, ready to write the numbers below `count`.
    pub fn distinct(mut self, count: u64) -> Self {
        let room = self.distinct_within.min(self.max);
        let width = |base: u64| {
            let (mut width, mut reach) = (1, base);
            while reach < count && width < 20 {
                reach = reach.saturating_mul(base);
                width += 1;
            }
            width
        };
        let base = [10, 16, 36].into_iter().find(|base| width(*base) <= room).unwrap_or(36);
        self.code = Code { base, width: width(base) };
        self
    }

    /// A usual text.
    #[inline]
    pub fn random(&self, draw: &mut Draw, out: &mut Vec<u8>) {
        let length = draw.between(self.low, self.high);
        if length == 0 {
            return;
        }
        let start = out.len();
        match self.style {
            Style::Words => {}
            Style::Name => {
                out.push(b'A' + draw.below(26) as u8);
            }
            Style::Slug => {}
            Style::Url if length > 24 => out.extend_from_slice(b"https://example.com/"),
            Style::Url => {}
            Style::Email if length > 16 => {
                fill(draw, SLUGS, length - 12 - 4, out);
                padded(draw.below(10_000), 4, out);
                out.extend_from_slice(b"@example.com");
                return;
            }
            Style::Email => {}
            Style::Hex => {
                hex(draw, length, out);
                return;
            }
            Style::Uuid if self.max >= 36 => {
                uuid(draw.bits() >> 4, draw.bits(), out);
                return;
            }
            Style::Uuid => {
                hex(draw, length, out);
                return;
            }
            Style::Digits => {
                for _ in 0..length {
                    out.push(b'0' + draw.below(10) as u8);
                }
                return;
            }
            Style::Address if self.max >= 15 => {
                address(draw.below(1 << 24), out);
                return;
            }
            Style::Address => {}
        }
        let written = out.len() - start;
        let source = if matches!(self.style, Style::Words | Style::Name) { WORDS } else { SLUGS };
        fill(draw, source, length.saturating_sub(written), out);
    }

    /// The text number `index`, different from those of all other numbers within `distinct_within` characters, even
    /// where case, accents and spaces at the end do not count.
    pub fn nth(&self, index: u64, seed: u64, out: &mut Vec<u8>) {
        let room = self.distinct_within.min(self.max);
        let mut draw = Draw::new(seed, index);
        match self.style {
            Style::Uuid if room >= 36 => return uuid(mix60(index), mix(index ^ seed), out),
            Style::Address if room >= 15 && self.code.width <= 7 => return address(index, out),
            Style::Hex if room >= 16 => {
                let start = out.len();
                hex_of(mix(index), 16, out);
                hex(&mut draw, self.high.max(16).min(self.max) - (out.len() - start), out);
                return;
            }
            _ => {}
        }
        let target = draw.between(self.low, self.high).max(self.code.width);
        let (lead, tail): (&[u8], &[u8]) = match self.style {
            Style::Url => (b"https://example.com/", b"-"),
            Style::Email => (b"user", b"@example.com"),
            Style::Name | Style::Words => (b"", b" "),
            Style::Slug => (b"", b"-"),
            _ => (b"", b""),
        };
        let start = out.len();
        if lead.len() + self.code.width <= room {
            out.extend_from_slice(lead);
        }
        self.code.write(index, out);
        let left = self.max - (out.len() - start).min(self.max);
        if self.style == Style::Email {
            if tail.len() <= left {
                out.extend_from_slice(tail);
            }
            return;
        }
        let wanted = target.saturating_sub(out.len() - start).min(left);
        if wanted > tail.len() && !tail.is_empty() {
            out.extend_from_slice(tail);
            let source = if tail == b" " { WORDS } else { SLUGS };
            fill(&mut draw, source, wanted - tail.len(), out);
        }
    }
}

impl Code {
    fn write(self, index: u64, out: &mut Vec<u8>) {
        if self.base == 10 {
            return padded(index, self.width, out);
        }
        let start = out.len();
        out.resize(start + self.width, b'0');
        let mut rest = index;
        for place in out[start..].iter_mut().rev() {
            *place = SYMBOLS[(rest % self.base) as usize];
            rest /= self.base;
        }
    }
}

/// Copies a stretch of a running text, the cheapest plausible filling. Ends with a letter: servers drop or ignore
/// spaces at the end.
#[inline]
fn fill(draw: &mut Draw, source: &[u8], mut length: usize, out: &mut Vec<u8>) {
    if length == 0 {
        return;
    }
    while length > 0 {
        let from = draw.below(source.len() as u64 / 2) as usize;
        let take = length.min(source.len() - from);
        out.extend_from_slice(&source[from..from + take]);
        length -= take;
    }
    if let Some(last @ (b' ' | b'-')) = out.last_mut() {
        *last = b'e';
    }
}

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Random hexadecimal digits.
pub fn hex(draw: &mut Draw, mut length: usize, out: &mut Vec<u8>) {
    while length > 0 {
        let take = length.min(16);
        hex_of(draw.bits(), take, out);
        length -= take;
    }
}

/// The lowest `count` hexadecimal digits of a number, zeros before them.
pub fn hex_of(value: u64, count: usize, out: &mut Vec<u8>) {
    for place in (0..count).rev() {
        out.push(HEX[(value >> (4 * place.min(15)) & 15) as usize]);
    }
}

/// A version 4 UUID out of 60 and 62 bits. The 60 bits are all kept.
pub fn uuid(sixty: u64, rest: u64, out: &mut Vec<u8>) {
    hex_of(sixty >> 28, 8, out);
    out.push(b'-');
    hex_of(sixty >> 12 & 0xFFFF, 4, out);
    out.extend_from_slice(b"-4");
    hex_of(sixty & 0xFFF, 3, out);
    out.push(b'-');
    hex_of(0x8000 | rest >> 48 & 0x3FFF, 4, out);
    out.push(b'-');
    hex_of(rest & 0xFFFF_FFFF_FFFF, 12, out);
}

/// An address in 10.0.0.0/8 from 24 bits.
pub fn address(value: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(b"10");
    for shift in [16, 8, 0] {
        out.push(b'.');
        digits(value >> shift & 255, out);
    }
}

const WORDS: &[u8] =
    b"the quick answer of a small shop is that every order needs an address and a customer who pays on \
time while stock moves between stores and the clerk writes notes about parcels that were late or broken in the post \
so the table keeps growing until someone asks why the report takes an hour and nobody knows which query it was that \
read all of it again and again during the night when backups run beside the import of prices from a partner whose \
files hold more rows than last year and the plan has not been looked at since then because it always worked before ";

const SLUGS: &[u8] =
    b"summer-sale-shoes-red-and-blue-garden-tools-for-small-hands-kitchen-table-oak-large-winter-coat-\
wool-grey-bicycle-lights-front-rear-news-of-the-week-letters-to-the-editor-how-to-mend-a-broken-chair-recipes-with-\
beans-travel-by-train-old-maps-of-the-coast-music-for-two-pianos-fresh-bread-daily-open-source-weekly-notes-archive-";

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    const STYLES: [Style; 9] = [
        Style::Words,
        Style::Name,
        Style::Slug,
        Style::Url,
        Style::Email,
        Style::Hex,
        Style::Uuid,
        Style::Digits,
        Style::Address,
    ];

    proptest! {
        #[test]
        fn texts_fit_their_column(max in 1_usize..300, low in 0_usize..100, more in 0_usize..100, row: u64) {
            for style in STYLES {
                let text = Text::new(max, low, low + more, style);
                let mut out = Vec::new();
                text.random(&mut Draw::new(7, row), &mut out);
                prop_assert!(out.len() <= max, "{:?} {}", style, out.len());
                prop_assert!(out.last() != Some(&b' '));
            }
        }

        #[test]
        fn distinct_texts_differ_within_the_prefix_whatever_their_case(max in 1_usize..60, prefix in 1_usize..60) {
            for style in STYLES {
                let mut text = Text::new(max, 3, 40, style);
                text.distinct_within = prefix.min(max);
                let count = text.capacity().min(500);
                let text = text.distinct(count);
                let mut seen = BTreeSet::new();
                for index in 0..count {
                    let mut out = Vec::new();
                    text.nth(index, 3, &mut out);
                    prop_assert!(out.len() <= max, "{:?}", style);
                    let shown = String::from_utf8(out).expect("ascii").to_lowercase();
                    let key: String = shown.chars().take(prefix).collect();
                    prop_assert!(seen.insert(key.trim_end().to_owned()), "{:?} {} {}", style, index, shown);
                }
            }
        }
    }
}
