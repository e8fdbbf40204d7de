//! `ip_range`: buckets between given addresses, or of networks.

use std::net::Ipv6Addr;

use serde::{Deserialize, Serialize};

use super::aggregation::Aggregation;
use super::collector::{AggContext, Aggregator};
use super::error::AggError;
use super::format::{ValueFormat, show_ip};
use super::partial::{Finisher, Partial, empty_list};
use super::range_partial::{Limits, RangeAggregator, RangeBucket, RangeEnd, RangePartial};
use super::request::{AggRequest, FieldSource, ValueType};
use super::result::{BucketKeys, ResultBody};
use super::source::{Source, unsupported_field};
use crate::search::SearchError;

/// Buckets between given addresses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IpRangeAgg {
    /// Where the values come from.
    pub source: FieldSource,
    /// In any order; they may overlap.
    pub ranges: Vec<IpRange>,
    /// An object instead of a list.
    pub keyed: bool,
}

/// From an address of 16 bytes, inclusive, to another, exclusive.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct IpRange {
    /// Its name; made of the bounds if absent.
    pub key: Option<String>,
    /// Lower bound.
    pub from: Option<Vec<u8>>,
    /// Upper bound.
    pub to: Option<Vec<u8>>,
}

impl IpRange {
    /// The addresses of a network in CIDR notation, `192.168.0.0/16`; `None` if it is none.
    pub fn of_network(text: &str) -> Option<IpRange> {
        let (address, length) = text.split_once('/')?;
        let bytes = super::format::parse_ip(address)?;
        let length: u32 = length.parse().ok()?;
        let length = if address.contains(':') {
            length
        } else {
            length.checked_add(96)?
        };
        if length > 128 {
            return None;
        }
        let mask = if length == 0 {
            0
        } else {
            u128::MAX << (128 - length)
        };
        let low = Ipv6Addr::from(bytes).to_bits() & mask;
        let high = low | !mask;
        let bytes = |address: u128| Ipv6Addr::from_bits(address).octets().to_vec();
        Some(IpRange {
            key: Some(text.to_owned()),
            from: (low != 0).then(|| bytes(low)),
            to: high.checked_add(1).map(bytes),
        })
    }
}

/// The 16 bytes of an address as text; IPv4 becomes IPv6-mapped.
pub fn parse_address(text: &str) -> Option<Vec<u8>> {
    super::format::parse_ip(text).map(|bytes| bytes.to_vec())
}

impl IpRangeAgg {
    fn sorted(&self) -> Vec<&IpRange> {
        let mut ranges: Vec<&IpRange> = self.ranges.iter().collect();
        ranges.sort_by(|a, b| {
            let order = a.from.cmp(&b.from);
            order.then_with(|| match (&a.to, &b.to) {
                (None, None) => std::cmp::Ordering::Equal,
                (None, _) => std::cmp::Ordering::Greater,
                (_, None) => std::cmp::Ordering::Less,
                (a, b) => a.cmp(b),
            })
        });
        ranges
    }

    fn empty_ranges(&self, request: &AggRequest) -> RangePartial {
        let mut buckets = Vec::with_capacity(self.ranges.len());
        for range in self.sorted() {
            let text = |end: &Option<Vec<u8>>| end.as_deref().map(show_ip);
            let (from, to) = (text(&range.from), text(&range.to));
            let star = || "*".to_owned();
            buckets.push(RangeBucket {
                key: range.key.clone().unwrap_or_else(|| {
                    format!(
                        "{}-{}",
                        from.clone().unwrap_or_else(star),
                        to.clone().unwrap_or_else(star)
                    )
                }),
                from: from.map(RangeEnd::Text),
                to: to.map(RangeEnd::Text),
                doc_count: 0,
                sub: empty_list(&request.sub),
            });
        }
        RangePartial {
            buckets,
            mapped: true,
        }
    }
}

impl Aggregation for IpRangeAgg {
    fn aggregator<'a>(
        &'a self,
        request: &'a AggRequest,
        ctx: &AggContext<'a>,
    ) -> Result<Box<dyn Aggregator + 'a>, SearchError> {
        let schema = &ctx.reader.schema;
        let source = Source::resolve(&self.source, schema, ctx.search, Some(ValueType::Ip))?;
        match &source {
            Source::Terms(terms) if terms.format == ValueFormat::Ip => {}
            Source::Unmapped => {}
            _ => return Err(unsupported_field(schema, &self.source.field, "ip_range")),
        }
        let mut limits = Vec::with_capacity(self.ranges.len());
        for range in self.sorted() {
            limits.push(Limits::Terms(range.from.clone(), range.to.clone()));
        }
        RangeAggregator::boxed(source, limits, self.empty_ranges(request), request, ctx)
    }

    fn empty(&self, request: &AggRequest) -> Partial {
        Partial::Ranges(self.empty_ranges(request))
    }

    fn finish(
        &self,
        request: &AggRequest,
        partial: Partial,
        finisher: &mut Finisher,
    ) -> Result<(&'static str, ResultBody), AggError> {
        let body =
            RangePartial::finish(request, partial, finisher, self.keyed, BucketKeys::InLists)?;
        Ok(("ip_range", body))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_become_ranges() {
        let range = IpRange::of_network("192.168.0.0/16").unwrap();
        let shown = |end: Option<Vec<u8>>| end.map(|bytes| show_ip(&bytes));
        assert_eq!(shown(range.from), Some("192.168.0.0".to_owned()));
        assert_eq!(shown(range.to), Some("192.169.0.0".to_owned()));
        let range = IpRange::of_network("::/24").unwrap();
        assert_eq!(
            (shown(range.from), shown(range.to)),
            (None, Some("0:100::".to_owned()))
        );
        assert_eq!(IpRange::of_network("1.2.3.4/33"), None);
    }
}
