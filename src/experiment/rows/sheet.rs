//! How is a cell written? By the type of its column, so that nobody who reads the file need be told.
//!
//! A number has a point or an exponent in every row, also where it is whole: `0.0`, `1e21`. A reader that guesses types from
//! the first rows guesses right then. An integer has neither. Both are the shortest text that reads back as the same
//! number. An empty cell means "not applicable", never zero.

use super::{Field, Kind};
use csv::{IntoInnerError, Writer};
use std::fmt::Write as _;
use std::io::{self, Write};

/// A CSV under way, cell by cell.
#[derive(Debug)]
pub struct Sheet<W: Write> {
    csv: Writer<W>,
    kinds: Vec<Kind>,
    // The column that comes next.
    next: usize,
    text: String,
}

impl<W: Write> Sheet<W> {
    /// One with these columns, without a header.
    pub fn new(to: W, fields: &[Field]) -> Sheet<W> {
        let kinds = fields.iter().map(|field| field.kind).collect();
        Sheet { csv: Writer::from_writer(to), kinds, next: 0, text: String::new() }
    }

    /// One that begins with its header.
    pub fn headed(to: W, fields: &[Field]) -> csv::Result<Sheet<W>> {
        let mut sheet = Sheet::new(to, fields);
        sheet.csv.write_record(fields.iter().map(|field| field.name))?;
        Ok(sheet)
    }

    /// Appends a cell that is text already.
    pub fn text(&mut self, cell: &str) -> csv::Result<()> {
        self.next += 1;
        self.csv.write_field(cell)
    }

    /// Appends a figure in the way of its column; nothing for one that does not apply.
    pub fn number(&mut self, value: Option<f64>) -> csv::Result<()> {
        let kind = self.kinds[self.next];
        self.next += 1;
        self.csv.write_field(kind.write(&mut self.text, value))
    }

    /// Ends the row.
    pub fn end(&mut self) -> csv::Result<()> {
        debug_assert_eq!(self.next, self.kinds.len(), "a row has all its cells");
        self.next = 0;
        self.csv.write_record(None::<&[u8]>)
    }

    /// What it was written to.
    pub fn into_inner(self) -> io::Result<W> {
        self.csv.into_inner().map_err(IntoInnerError::into_error)
    }
}

impl Kind {
    /// A figure as text. `text` is cleared first.
    fn write(self, text: &mut String, value: Option<f64>) -> &str {
        text.clear();
        if let Some(value) = value.filter(|value| value.is_finite()) {
            // Adding zero turns −0 into 0.
            let value = value + 0.0;
            let _ = match self {
                Kind::Integer => write!(text, "{value}"),
                Kind::Number | Kind::Text => write!(text, "{value:?}"),
            };
            debug_assert!(self == Kind::Number || (self == Kind::Integer && value.fract() == 0.0), "{self:?}: {value}");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_shows_that_it_is_one_and_an_integer_too_and_absence_is_empty() {
        let mut text = String::new();
        for (value, number) in [
            (5.0, "5.0"),
            (0.1 + 0.2, "0.30000000000000004"),
            (-0.0, "0.0"),
            (-2.0, "-2.0"),
            (1e15, "1000000000000000.0"),
            (1e21, "1e21"),
            (1e-7, "1e-7"),
        ] {
            assert_eq!(Kind::Number.write(&mut text, Some(value)), number);
            assert_eq!(number.parse(), Ok(value));
        }
        assert_eq!(Kind::Integer.write(&mut text, Some(5.0)), "5");
        assert_eq!(Kind::Integer.write(&mut text, Some(-0.0)), "0");
        for kind in [Kind::Number, Kind::Integer] {
            assert_eq!(kind.write(&mut text, None), "");
            assert_eq!(kind.write(&mut text, Some(f64::NAN)), "");
        }
    }

    #[test]
    fn the_column_decides_how_its_cells_are_written() {
        let fields = [Field::text("who", "."), Field::integer("n", "."), Field::number("mean", "", ".")];
        let mut sheet = Sheet::headed(Vec::new(), &fields).unwrap();
        for mean in [Some(1.0), None] {
            sheet.text("a, b").unwrap();
            sheet.number(Some(3.0)).unwrap();
            sheet.number(mean).unwrap();
            sheet.end().unwrap();
        }
        assert_eq!(sheet.into_inner().unwrap(), b"who,n,mean\n\"a, b\",3,1.0\n\"a, b\",3,\n");
    }
}
