//! The full check of a segment.

use super::{
    FieldInfo, OpenSegmentError, PostingsNeed, ReadError, SegmentReader, TermsReader, VerifyError,
};
use crate::directory::ByteView;
use crate::document::IndexOptions;
use crate::format::bytes::hash64;
use crate::format::envelope::{Envelope, Section, SectionKind};
use crate::format::v1::{fields, id_filter};
use crate::ids::{DocId, SegmentId};

impl SegmentReader {
    /// Checks all checksums: every byte of the file once, no decoding.
    pub fn verify_checksums(&self) -> Result<(), VerifyError> {
        let damage = self.file().damage(|number| name_of(self.fields(), number));
        match damage.into_iter().next() {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// Checks all checksums and the structure of every section.
    pub fn verify(&self) -> Result<(), VerifyError> {
        self.verify_checksums()?;
        self.stored_reader().verify(self.fields().len())?;
        for number in 0..self.fields().len() as u32 {
            self.verify_field(number)?;
        }
        Ok(())
    }

    fn verify_field(&self, number: u32) -> Result<(), ReadError> {
        let field = &self.fields()[number as usize];
        let path = &*field.path;
        if let Some(terms) = self.dictionary(number)? {
            let (total, pairs) =
                self.verify_terms(terms, field.spec.index, path == super::ID_FIELD)?;
            if (total, pairs) != (field.sum_total_term_freq, field.sum_doc_freq) {
                return Err(self.error(&format!("has wrong sums for field [{path}]")));
            }
        }
        if let Some(points) = self.points(path)? {
            points.verify(self.max_doc())?;
        }
        let column = |kind| self.section(kind, number);
        if let (Some(numeric), Some(section)) = (self.numeric(path)?, column(SectionKind::Numeric))
        {
            numeric.verify(&section, None)?;
        }
        if let (Some(ordinals), Some(section)) =
            (self.ordinals(path)?, column(SectionKind::Ordinals))
        {
            ordinals
                .numbers()
                .verify(&section, Some(ordinals.value_count()))?;
        }
        self.norms(path)?;
        Ok(())
    }

    /// Walks over all terms, documents and positions; answers the sums of occurrences and of documents.
    fn verify_terms(
        &self,
        terms: &TermsReader,
        options: IndexOptions,
        ids: bool,
    ) -> Result<(u64, u64), ReadError> {
        let filter = self.id_filter();
        let mut iter = terms.iter();
        let mut last = Vec::new();
        let (mut count, mut total, mut pairs) = (0, 0u64, 0u64);
        let mut positions = Vec::new();
        while let Some((term, info)) = iter.next()? {
            if (count > 0 && last.as_slice() >= term) || info.ord != count {
                return Err(self.error("has terms out of order"));
            }
            if terms.get(term)? != Some(info) {
                return Err(self.error("has a term that its index does not find"));
            }
            if ids {
                check_filter(filter, hash64(term))?;
            }
            count += 1;
            last.clear();
            last.extend_from_slice(term);
            if options == IndexOptions::None {
                continue;
            }
            let mut cursor = terms.postings(&info, PostingsNeed::Positions)?;
            cursor.max_impacts()?;
            let (mut docs, mut occurrences) = (0, 0);
            while cursor.next()? != DocId::NO_MORE {
                docs += 1;
                occurrences += u64::from(cursor.freq());
                cursor.positions(&mut positions)?;
                cursor.impacts()?;
                let kept = options == IndexOptions::Positions;
                if kept && (positions.len() != cursor.freq() as usize || !positions.is_sorted()) {
                    return Err(self.error("has positions out of order"));
                }
            }
            if docs != info.doc_freq || occurrences != info.total_term_freq {
                return Err(self.error("has a term with other postings than its dictionary says"));
            }
            total += occurrences;
            pairs += u64::from(docs);
        }
        if count != terms.len() {
            return Err(self.error("has another number of terms than its dictionary says"));
        }
        Ok((total, pairs))
    }
}

/// Every section of a file, and gap between sections, that is not what was written: also where the segment cannot be opened
/// for that.
pub(crate) fn damaged_sections(
    id: SegmentId,
    bytes: ByteView,
) -> Result<Vec<VerifyError>, OpenSegmentError> {
    let file = Envelope::open(id, bytes)?;
    let mut entries = file.entries().iter();
    let list = entries.find(|entry| entry.kind == SectionKind::Fields);
    let list = list.and_then(|entry| file.sound_section(entry));
    let fields = list.and_then(|bytes| fields::decode(bytes).ok());
    let fields = fields.unwrap_or_default();
    Ok(file.damage(|number| name_of(&fields, number)))
}

fn name_of(fields: &[FieldInfo], number: u32) -> String {
    match fields.get(number as usize) {
        Some(field) => format!("[{}]", field.path),
        None => format!("number {number}"),
    }
}

fn check_filter(filter: &Section, hash: u64) -> Result<(), ReadError> {
    let Some(range) = id_filter::block_range(hash, filter.len()) else {
        return Ok(());
    };
    let block = filter.read(range.start as u64, range.len() as u64)?;
    if id_filter::may_contain(block, hash) {
        Ok(())
    } else {
        Err(filter.error("does not know an _id that is there"))
    }
}
