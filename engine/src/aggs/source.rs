//! Where an aggregation's values come from: a numeric column, an ordinal column, or nowhere.

use super::collector::Docs;
use super::format::ValueFormat;
use super::geo_source::Measure;
use super::loaded::Loaded;
use super::request::{FieldSource, ValueType};
use crate::document::IndexOptions;
use crate::ids::DocId;
use crate::schema::{FieldKind, FieldMapping, IndexSchema, NumericKind, f64_to_sortable};
use crate::search::{SearchContext, SearchError};
use crate::segment::{NumericColumn, OrdinalColumn, TermIter, ZoneMap};
use crate::shard::SegmentSnapshot;
use crate::simd::columns::kernels;
use crate::value::Value;

/// Values of the documents of a batch.
#[derive(Clone, Copy)]
pub(crate) struct Values<'v, T> {
    /// For each value the row of its document in the batch, ascending.
    pub rows: &'v [u32],
    /// Whether every document has exactly one: the rows count up from 0.
    pub each: bool,
    /// The values.
    pub values: &'v [T],
}

impl<'v, T: Copy> Values<'v, T> {
    /// Rows and values.
    pub fn parts(self) -> (&'v [u32], &'v [T]) {
        (self.rows, self.values)
    }

    /// Rows with values.
    pub fn iter(&self) -> impl Iterator<Item = (u32, T)> + '_ {
        self.rows.iter().copied().zip(self.values.iter().copied())
    }
}

/// A field with numbers.
pub(crate) struct NumericSource {
    path: String,
    /// How the column reads.
    pub kind: NumericKind,
    /// How values are shown.
    pub format: ValueFormat,
    missing: Option<i64>,
    /// `missing` of a whole-number field may have a fraction that its column could not hold.
    missing_f64: Option<f64>,
    column: Option<NumericColumn>,
    loaded: Loaded,
    numbers: Vec<f64>,
    /// For places: their numbers are distances.
    distance: Option<Measure>,
}

impl NumericSource {
    /// The distances of a field with places.
    pub fn of_distances(path: String, missing: Option<i64>, measure: Measure) -> NumericSource {
        NumericSource {
            path,
            kind: NumericKind::I64,
            format: ValueFormat::Raw,
            missing,
            missing_f64: None,
            column: None,
            loaded: Loaded::default(),
            numbers: Vec::new(),
            distance: Some(measure),
        }
    }

    pub fn begin_segment(&mut self, segment: &SegmentSnapshot) -> Result<(), SearchError> {
        self.column = segment.reader.numeric(&self.path)?;
        Ok(())
    }

    /// The column of the segment, if it has one.
    pub fn column(&self) -> Option<&NumericColumn> {
        self.column.as_ref()
    }

    /// Column values with their rows; `date_nanos` come as milliseconds.
    pub fn load(&mut self, docs: Docs<'_>) -> Values<'_, i64> {
        self.loaded.load(self.column.as_ref(), docs, self.missing);
        if self.kind == NumericKind::DateNanos {
            for value in self.loaded.raw_mut() {
                *value = value.div_euclid(1_000_000);
            }
        }
        Values {
            rows: self.loaded.rows(),
            each: self.loaded.is_each(),
            values: self.loaded.raw(),
        }
    }

    /// The same as plain numbers.
    pub fn load_f64(&mut self, docs: Docs<'_>) -> Values<'_, f64> {
        self.load(docs);
        let kind = self.domain();
        let raw = self.loaded.raw();
        self.numbers.resize(raw.len(), 0.0);
        match (self.distance, kind) {
            (Some(measure), _) => {
                for (number, raw) in self.numbers.iter_mut().zip(raw) {
                    *number = measure.of(*raw);
                }
            }
            (None, NumericKind::I64 | NumericKind::DateMillis | NumericKind::Bool) => {
                (kernels().to_fractions)(raw, &mut self.numbers);
            }
            (None, NumericKind::F64) => (kernels().from_sortable)(raw, &mut self.numbers),
            (None, _) => {
                for (number, raw) in self.numbers.iter_mut().zip(raw) {
                    *number = kind.to_f64(*raw);
                }
            }
        }
        if let (Some(marker), Some(missing)) = (self.missing, self.missing_f64)
            && kind.to_f64(marker) != missing
        {
            self.restore_missing(docs.list, missing);
        }
        Values {
            rows: self.loaded.rows(),
            each: self.loaded.is_each(),
            values: &self.numbers,
        }
    }

    /// The zone map of the window where `docs` are all of its rows, each with one value, none of them changed on the
    /// way to the aggregation.
    pub fn whole_window(&self, docs: Docs<'_>) -> Option<ZoneMap> {
        if self.distance.is_some() || self.kind == NumericKind::DateNanos {
            return None;
        }
        self.column
            .as_ref()?
            .whole_window(docs.list.first()?, docs.bits?)
    }

    /// Whether the values are whole numbers that double as fractions without rounding, so small that the sum of a
    /// batch fits 63 bits.
    pub fn is_whole(&self) -> bool {
        let small = |value: i64| value.unsigned_abs() < 1 << 48;
        let whole = matches!(
            self.domain(),
            NumericKind::I64 | NumericKind::DateMillis | NumericKind::Bool
        );
        let column = self.column.as_ref();
        whole
            && self.distance.is_none()
            && self.missing_f64.is_none()
            && self.missing.is_none_or(small)
            && column.is_none_or(|column| small(column.min()) && small(column.max()))
    }

    /// Puts the exact `missing` where the column's kind had to round it.
    fn restore_missing(&mut self, docs: &[u32], missing: f64) {
        for (row, number) in self.loaded.rows().iter().zip(&mut self.numbers) {
            let doc = DocId(docs[*row as usize]);
            if self
                .column
                .as_ref()
                .is_none_or(|column| column.doc_value_count(doc) == 0)
            {
                *number = missing;
            }
        }
    }

    /// Smallest and greatest value that [`NumericSource::load`] may give in this segment; `None` where that is
    /// unknown or there is none.
    pub fn bounds(&self) -> Option<(i64, i64)> {
        let column = self.column.as_ref()?;
        let known = self.distance.is_none() && self.missing_f64.is_none();
        if !known || column.value_count() == 0 {
            return None;
        }
        let (min, max) = match self.kind {
            NumericKind::DateNanos => (
                column.min().div_euclid(1_000_000),
                column.max().div_euclid(1_000_000),
            ),
            _ => (column.min(), column.max()),
        };
        let missing = self.missing();
        Some((
            missing.unwrap_or(min).min(min),
            missing.unwrap_or(max).max(max),
        ))
    }

    /// What stands for the value of documents that have none.
    pub fn missing(&self) -> Option<i64> {
        self.missing.map(|missing| match self.kind {
            NumericKind::DateNanos => missing.div_euclid(1_000_000),
            _ => missing,
        })
    }

    /// How the values that [`NumericSource::load`] gives read.
    pub fn domain(&self) -> NumericKind {
        match self.kind {
            NumericKind::DateNanos => NumericKind::DateMillis,
            kind => kind,
        }
    }
}

/// Values of a column that are counted in the time that a term of a dictionary takes.
const VALUES_PER_TERM: u64 = 8;

/// A field with terms.
pub(crate) struct TermSource {
    path: String,
    /// How terms are shown.
    pub format: ValueFormat,
    /// The term of documents that have none.
    pub missing: Option<Vec<u8>>,
    /// Whether the segment has postings of the field.
    indexed: bool,
    column: Option<OrdinalColumn>,
    loaded: Loaded,
}

impl TermSource {
    /// The ranges of a field, which are terms of both their ends.
    pub fn of_ranges(path: &str) -> TermSource {
        TermSource {
            path: path.to_owned(),
            format: ValueFormat::Raw,
            missing: None,
            indexed: false,
            column: None,
            loaded: Loaded::default(),
        }
    }

    /// The ordinal that stands for `missing`.
    pub const MISSING_ORD: u64 = i64::MAX as u64;

    pub fn begin_segment(&mut self, segment: &SegmentSnapshot) -> Result<(), SearchError> {
        self.column = segment.reader.fielddata(&self.path)?;
        let field = segment.reader.field(&self.path);
        self.indexed = field.is_some_and(|field| field.spec.index != IndexOptions::None);
        Ok(())
    }

    /// The column of the segment, if it has one.
    pub fn column(&self) -> Option<&OrdinalColumn> {
        self.column.as_ref()
    }

    /// How many terms a segment has.
    pub fn term_count(&self, segment: &SegmentSnapshot) -> Result<usize, SearchError> {
        let column = segment.reader.fielddata(&self.path)?;
        Ok(column.map_or(0, |column| column.value_count() as usize))
    }

    /// Ordinals with their rows; [`TermSource::MISSING_ORD`] for the missing term.
    pub fn load(&mut self, docs: Docs<'_>) -> Values<'_, i64> {
        let missing = self.missing.as_ref().map(|_| Self::MISSING_ORD as i64);
        self.loaded.load(
            self.column.as_ref().map(OrdinalColumn::numbers),
            docs,
            missing,
        );
        Values {
            rows: self.loaded.rows(),
            each: self.loaded.is_each(),
            values: self.loaded.raw(),
        }
    }

    /// The terms with the number of documents of each, where the dictionary knows these and is so much smaller than the
    /// column that reading it costs less.
    pub fn frequencies(&self) -> Option<TermIter> {
        let column = self.column.as_ref()?;
        let few = column.value_count() * VALUES_PER_TERM <= column.numbers().value_count();
        let counted = few && self.indexed && self.missing.is_none();
        counted.then(|| column.terms().iter())
    }

    /// The ordinals of the documents, where each has exactly one.
    pub fn load_single(&mut self, docs: Docs<'_>) -> Option<&[u32]> {
        let column = self.column.as_ref()?;
        self.loaded.load_u32(column.numbers(), docs)
    }

    /// How many values the last [`TermSource::load`] gave.
    pub fn len(&self) -> usize {
        self.loaded.raw().len()
    }

    /// Row and ordinal of the `at`-th of them.
    pub fn at(&self, at: usize) -> (u32, u64) {
        (self.loaded.rows()[at], self.loaded.raw()[at] as u64)
    }

    /// Overwrites `term` with the bytes of an ordinal of the segment.
    pub fn term(&self, ord: u64, term: &mut Vec<u8>) -> Result<(), SearchError> {
        term.clear();
        if ord == Self::MISSING_ORD {
            term.extend_from_slice(self.missing.as_deref().unwrap_or_default());
            return Ok(());
        }
        if let Some(column) = &self.column {
            column.term(ord, term)?;
        }
        Ok(())
    }
}

/// What a field gives an aggregation.
pub(crate) enum Source {
    /// Numbers, dates, booleans.
    Numeric(NumericSource),
    /// Keywords and addresses.
    Terms(TermSource),
    /// The field is not mapped and has no `missing`.
    Unmapped,
}

impl Source {
    /// Finds the field. `default_type` is what an unmapped field with `missing` is taken for when `value_type` says
    /// nothing.
    pub fn resolve(
        source: &FieldSource,
        schema: &IndexSchema,
        search: &SearchContext<'_>,
        default_type: Option<ValueType>,
    ) -> Result<Source, SearchError> {
        let zone = source.time_zone.as_deref();
        if source.field == "_index" {
            // every document of the shard has the same
            return Ok(Source::Terms(TermSource {
                path: source.field.clone(),
                format: ValueFormat::Raw,
                missing: Some(search.index_name.as_bytes().to_vec()),
                indexed: false,
                column: None,
                loaded: Loaded::default(),
            }));
        }
        if source.field == "_id" {
            return Err(SearchError::illegal(
                "Fielddata access on the _id field is disallowed, you can re-enable it by updating the dynamic \
                 cluster setting: indices.id_field_data.enabled",
            ));
        }
        let Some(field) = schema.mapping.field(&source.field) else {
            return Self::unmapped(source, search, default_type);
        };
        check_has_column(field)?;
        let format = ValueFormat::of_field(field, source.format.as_deref(), zone)?;
        if let Some(kind) = field.numeric() {
            let (missing, missing_f64) = match &source.missing {
                None => (None, None),
                Some(value) => encode_missing(field, kind, value, search.now_ms)?,
            };
            return Ok(Source::Numeric(NumericSource {
                path: field.path().to_owned(),
                kind,
                format,
                missing,
                missing_f64,
                column: None,
                loaded: Loaded::default(),
                numbers: Vec::new(),
                distance: None,
            }));
        }
        let missing = match &source.missing {
            None => None,
            Some(value) => Some(field.encode_term(value)?),
        };
        Ok(Source::Terms(TermSource {
            path: field.path().to_owned(),
            format,
            missing,
            indexed: false,
            column: None,
            loaded: Loaded::default(),
        }))
    }

    fn unmapped(
        source: &FieldSource,
        search: &SearchContext<'_>,
        default_type: Option<ValueType>,
    ) -> Result<Source, SearchError> {
        let Some(missing) = &source.missing else {
            return Ok(Source::Unmapped);
        };
        let kind = source
            .value_type
            .or(default_type)
            .unwrap_or(ValueType::String);
        let format =
            ValueFormat::of_type(kind, source.format.as_deref(), source.time_zone.as_deref())?;
        if kind == ValueType::String || kind == ValueType::Ip {
            let text = text_of(missing);
            let bytes = if kind == ValueType::Ip {
                super::format::parse_ip(&text)
                    .ok_or_else(|| {
                        SearchError::illegal(format!("'{text}' is not an IP string literal."))
                    })?
                    .to_vec()
            } else {
                text.into_bytes()
            };
            return Ok(Source::Terms(TermSource {
                path: source.field.clone(),
                format,
                missing: Some(bytes),
                indexed: false,
                column: None,
                loaded: Loaded::default(),
            }));
        }
        let (numeric, raw) = match kind {
            ValueType::Boolean => {
                let set = matches!(missing, Value::Bool(true))
                    || text_of(missing) == "true"
                    || text_of(missing) == "1";
                (NumericKind::Bool, i64::from(set))
            }
            ValueType::Date => (
                NumericKind::DateMillis,
                format.parse_date(missing, search.now_ms)?,
            ),
            ValueType::UnsignedLong => {
                let number = number_of(missing)?;
                (NumericKind::U64, ((number as u64) ^ (1 << 63)) as i64)
            }
            ValueType::Long => (NumericKind::I64, number_of(missing)? as i64),
            ValueType::Double | ValueType::String | ValueType::Ip => {
                (NumericKind::F64, f64_to_sortable(number_of(missing)?))
            }
        };
        Ok(Source::Numeric(NumericSource {
            path: source.field.clone(),
            kind: numeric,
            format,
            missing: Some(raw),
            missing_f64: None,
            column: None,
            loaded: Loaded::default(),
            numbers: Vec::new(),
            distance: None,
        }))
    }

    /// The numbers of a field, or `None` when it is not mapped; other fields are refused in the name of `agg`.
    pub fn numeric(
        source: &FieldSource,
        schema: &IndexSchema,
        search: &SearchContext<'_>,
        agg: &str,
    ) -> Result<Option<NumericSource>, SearchError> {
        match Source::resolve(source, schema, search, Some(ValueType::Double))? {
            Source::Numeric(numeric) => Ok(Some(numeric)),
            Source::Unmapped => Ok(None),
            Source::Terms(_) => Err(unsupported_field(schema, &source.field, agg)),
        }
    }
}

/// The refusal of a field that an aggregation cannot work with.
pub(crate) fn unsupported_field(schema: &IndexSchema, path: &str, agg: &str) -> SearchError {
    let type_name = schema
        .mapping
        .field(path)
        .map_or("keyword", |field| field.type_name());
    SearchError::illegal(format!(
        "Field [{path}] of type [{type_name}] is not supported for aggregation [{agg}]"
    ))
}

fn check_has_column(field: &FieldMapping) -> Result<(), SearchError> {
    if field.fielddata() {
        return Ok(());
    }
    if field.kind() == FieldKind::Text {
        let path = field.path();
        return Err(SearchError::illegal(format!(
            "Text fields are not optimised for operations that require per-document field data like aggregations and \
             sorting, so these operations are disabled by default. Please use a keyword field instead. Alternatively, \
             set fielddata=true on [{path}] in order to load field data by uninverting the inverted index. Note that \
             this can use significant memory."
        )));
    }
    if matches!(field.kind(), FieldKind::GeoPoint | FieldKind::Range) {
        return Err(SearchError::illegal(format!(
            "Field [{}] of type [{}] is not supported for this aggregation",
            field.path(),
            field.type_name()
        )));
    }
    if !field.has_doc_values() {
        return Err(SearchError::illegal(format!(
            "Can't load fielddata on [{}] because fielddata is unsupported on fields of type [{}]. \
             Use doc values instead.",
            field.path(),
            field.type_name()
        )));
    }
    Ok(())
}

fn encode_missing(
    field: &FieldMapping,
    kind: NumericKind,
    value: &Value,
    now_ms: i64,
) -> Result<(Option<i64>, Option<f64>), SearchError> {
    match field.encode_number(value, now_ms) {
        Ok(Some(raw)) => return Ok((Some(raw), None)),
        Ok(None) => {}
        Err(error) if matches!(value, Value::Str(_)) || !is_plain_number(kind) => {
            return Err(error.into());
        }
        Err(_) => {}
    }
    // a fraction on a field of whole numbers, or a number beyond its type
    let number = number_of(value)?;
    let raw = match kind {
        NumericKind::U64 => ((number as u64) ^ (1 << 63)) as i64,
        NumericKind::F64 => f64_to_sortable(number),
        _ => number as i64,
    };
    Ok((Some(raw), Some(number)))
}

fn is_plain_number(kind: NumericKind) -> bool {
    matches!(kind, NumericKind::I64 | NumericKind::U64 | NumericKind::F64)
}

pub(crate) fn text_of(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(b) => b.to_string(),
        Value::I64(n) => n.to_string(),
        Value::U64(n) => n.to_string(),
        Value::F64(n) => super::format::java_double(*n),
        Value::Str(text) => text.clone(),
    }
}

pub(crate) fn number_of(value: &Value) -> Result<f64, SearchError> {
    match value {
        Value::I64(n) => Ok(*n as f64),
        Value::U64(n) => Ok(*n as f64),
        Value::F64(n) => Ok(*n),
        Value::Bool(b) => Ok(f64::from(u8::from(*b))),
        Value::Str(text) => text.trim().parse().map_err(|_| {
            SearchError::refused(
                "number_format_exception",
                format!("For input string: \"{text}\""),
            )
        }),
        Value::Null => Ok(0.0),
    }
}
