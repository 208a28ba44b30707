//! JSON, geometry, vectors and addresses: types whose text has a grammar of its own.

use super::super::draw::Draw;
use super::number::{digits, padded};

/// A small JSON object; `id` tells two of them apart.
pub fn json(id: u64, draw: &mut Draw, out: &mut Vec<u8>) {
    const COLOURS: [&str; 6] = ["red", "blue", "green", "grey", "black", "white"];
    out.extend_from_slice(b"{\"id\": ");
    digits(id, out);
    out.extend_from_slice(b", \"colour\": \"");
    out.extend_from_slice(COLOURS[draw.below(6) as usize].as_bytes());
    out.extend_from_slice(b"\", \"tags\": [");
    for place in 0..draw.below(3) {
        if place > 0 {
            out.extend_from_slice(b", ");
        }
        digits(draw.below(100), out);
    }
    out.extend_from_slice(b"], \"active\": ");
    out.extend_from_slice(if draw.below(4) == 0 { b"false" } else { b"true" });
    out.push(b'}');
}

/// Which geometries a column takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Geometry {
    /// `point`, and what a `geometry` column gets.
    Point,
    /// `linestring`.
    Line,
    /// `polygon`.
    Polygon,
    /// `multipoint`.
    Points,
    /// `multilinestring`.
    Lines,
    /// `multipolygon`.
    Polygons,
    /// `geometrycollection`.
    Collection,
}

impl Geometry {
    /// The geometry of a data type's name.
    pub fn of_type(name: &str) -> Option<Self> {
        Some(match name {
            "geometry" | "point" => Self::Point,
            "linestring" => Self::Line,
            "polygon" => Self::Polygon,
            "multipoint" => Self::Points,
            "multilinestring" => Self::Lines,
            "multipolygon" => Self::Polygons,
            "geometrycollection" | "geomcollection" => Self::Collection,
            _ => return None,
        })
    }

    /// Well-known text around a point that `index` determines. Coordinates stay within ±80, so that they are valid in
    /// geographic systems, whatever the order of their axes.
    pub fn write(self, index: u64, out: &mut Vec<u8>) {
        let at = (index % 1_300_000, index / 1_300_000 % 1_300_000);
        match self {
            Self::Point => shape("POINT", &[&[(0, 0)]], at, 1, out),
            Self::Line => shape("LINESTRING", &[&[(0, 0), (5, 7)]], at, 1, out),
            Self::Polygon => shape("POLYGON", &[SQUARE], at, 2, out),
            Self::Points => shape("MULTIPOINT", &[&[(0, 0), (3, 4)]], at, 1, out),
            Self::Lines => shape("MULTILINESTRING", &[&[(0, 0), (5, 7)], &[(9, 9), (10, 12)]], at, 2, out),
            Self::Polygons => shape("MULTIPOLYGON", &[SQUARE], at, 3, out),
            Self::Collection => {
                out.extend_from_slice(b"GEOMETRYCOLLECTION(");
                shape("POINT", &[&[(0, 0)]], at, 1, out);
                out.push(b')');
            }
        }
    }
}

const SQUARE: &[(u64, u64)] = &[(0, 0), (10, 0), (10, 10), (0, 10), (0, 0)];

fn shape(name: &str, rings: &[&[(u64, u64)]], at: (u64, u64), depth: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(name.as_bytes());
    out.extend(std::iter::repeat_n(b'(', depth - 1));
    for (place, ring) in rings.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        out.push(b'(');
        for (corner, (x, y)) in ring.iter().enumerate() {
            if corner > 0 {
                out.push(b',');
            }
            coordinate(at.0 + x, out);
            out.push(b' ');
            coordinate(at.1 + y, out);
        }
        out.push(b')');
    }
    out.extend(std::iter::repeat_n(b')', depth - 1));
}

/// Ten-thousandths of a degree above -65.
fn coordinate(value: u64, out: &mut Vec<u8>) {
    let value = value as i64 - 650_000;
    if value < 0 {
        out.push(b'-');
    }
    digits(value.unsigned_abs() / 10_000, out);
    out.push(b'.');
    padded(value.unsigned_abs() % 10_000, 4, out);
}

/// `[0.1234,…]`, as both vendors read it.
pub fn vector(dimensions: usize, draw: &mut Draw, out: &mut Vec<u8>) {
    out.push(b'[');
    for place in 0..dimensions {
        if place > 0 {
            out.push(b',');
        }
        if draw.below(2) == 0 {
            out.push(b'-');
        }
        out.extend_from_slice(b"0.");
        padded(draw.below(1_000_000), 6, out);
    }
    out.push(b']');
}

/// An address in the documentation's own range, `2001:db8::/32`.
pub fn inet6(index: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(b"2001:db8:1:1");
    for shift in [48, 32, 16, 0] {
        out.push(b':');
        super::text::hex_of(index >> shift & 0xFFFF, 4, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn geometries_are_well_known_text() {
        let written = |name: &str, index| {
            let mut out = Vec::new();
            Geometry::of_type(name).expect("a geometry").write(index, &mut out);
            String::from_utf8(out).expect("ascii")
        };
        assert_eq!(written("point", 650_001), "POINT(0.0001 -65.0000)");
        assert_eq!(written("linestring", 0), "LINESTRING(-65.0000 -65.0000,-64.9995 -64.9993)");
        let polygon = written("polygon", 0);
        assert!(polygon.starts_with("POLYGON((-65.0000 -65.0000,") && polygon.ends_with("-65.0000 -65.0000))"));
        assert!(written("multipolygon", 0).starts_with("MULTIPOLYGON((("));
        assert!(written("geometrycollection", 0).starts_with("GEOMETRYCOLLECTION(POINT("));
    }

    #[test]
    fn json_is_json() {
        for row in 0..50 {
            let mut out = Vec::new();
            json(row, &mut Draw::new(5, row), &mut out);
            let value: serde_json::Value = serde_json::from_slice(&out).expect("json");
            assert_eq!(value["id"], row);
        }
    }

    #[test]
    fn a_vector_has_its_dimensions() {
        let mut out = Vec::new();
        vector(3, &mut Draw::new(5, 1), &mut out);
        let read: Vec<f64> = serde_json::from_slice(&out).expect("numbers");
        assert_eq!(read.len(), 3);
    }
}
