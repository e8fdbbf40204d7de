//! Searches and what they find.

use std::time::Duration;

use bytes::Bytes;
use quidditch_engine::search::{FetchedHit, TermStatistics};
use quidditch_proto::data::v1 as proto;

use super::errors::search_error;
use super::{Reply, reply};
use crate::cluster::NodeId;
use crate::data::search::{ContextId, Purpose, ReaderNote, ShardQueryReply, ShardSearchError};
use crate::wire::tree::{self, WireError};

impl From<ContextId> for proto::ContextId {
    fn from(id: ContextId) -> proto::ContextId {
        proto::ContextId {
            node_id: id.node.0,
            session: id.session,
            id: id.id,
        }
    }
}

impl From<proto::ContextId> for ContextId {
    fn from(id: proto::ContextId) -> ContextId {
        ContextId {
            node: NodeId(id.node_id),
            session: id.session,
            id: id.id,
        }
    }
}

impl From<Purpose> for proto::Purpose {
    fn from(purpose: Purpose) -> proto::Purpose {
        match purpose {
            Purpose::Fetch => proto::Purpose::Fetch,
            Purpose::Scroll => proto::Purpose::Scroll,
            Purpose::PointInTime => proto::Purpose::PointInTime,
        }
    }
}

impl TryFrom<proto::Purpose> for Purpose {
    type Error = WireError;

    fn try_from(purpose: proto::Purpose) -> Result<Purpose, WireError> {
        match purpose {
            proto::Purpose::Unspecified => Err(WireError::missing("purpose of readers")),
            proto::Purpose::Fetch => Ok(Purpose::Fetch),
            proto::Purpose::Scroll => Ok(Purpose::Scroll),
            proto::Purpose::PointInTime => Ok(Purpose::PointInTime),
        }
    }
}

impl From<ReaderNote> for proto::ReaderNote {
    fn from(note: ReaderNote) -> proto::ReaderNote {
        proto::ReaderNote {
            note: note.note,
            keep_alive_ms: u64::try_from(note.keep_alive.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

impl From<proto::ReaderNote> for ReaderNote {
    fn from(note: proto::ReaderNote) -> ReaderNote {
        ReaderNote {
            note: note.note,
            keep_alive: Duration::from_millis(note.keep_alive_ms),
        }
    }
}

/// The reply to a call of a search.
macro_rules! search_reply {
    ($reply:ident in $module:ident, $variant:ident: $value:ty, $write:expr, $read:expr $(,)?) => {
        reply!(
            $reply in $module, $variant: $value, ShardSearchError, search_error, $write, $read
        );
    };
}

search_reply!(
    QueryReply in query_reply, Result: ShardQueryReply,
    |reply| {
        let fetched = match reply.fetched {
            Some(hits) => Some(tree::encode("fetched hits", &hits)?),
            None => None,
        };
        Ok(proto::QueryResult {
            context: reply.context.map(Into::into),
            result_cbor: tree::encode("query result", &reply.result)?,
            fetched_cbor: fetched,
        })
    },
    |result: proto::QueryResult| {
        let fetched = match result.fetched_cbor {
            Some(bytes) => Some(tree::decode("fetched hits", &bytes)?),
            None => None,
        };
        Ok(ShardQueryReply {
            node: None,
            context: result.context.map(Into::into),
            result: tree::decode("query result", &result.result_cbor)?,
            fetched,
        })
    },
);
search_reply!(
    TermStatisticsReply in term_statistics_reply, StatisticsCbor: TermStatistics,
    |statistics| tree::encode("term statistics", &statistics),
    |bytes: Bytes| tree::decode("term statistics", &bytes),
);
search_reply!(
    FetchReply in fetch_reply, HitsCbor: Vec<FetchedHit>,
    |hits| tree::encode("fetched hits", &hits),
    |bytes: Bytes| tree::decode("fetched hits", &bytes),
);
search_reply!(
    OpenContextReply in open_context_reply, Context: ContextId,
    |id| Ok(id.into()),
    |id: proto::ContextId| Ok(id.into()),
);
search_reply!(
    ExtendContextReply in extend_context_reply, Done: (),
    |()| Ok(proto::Done {}),
    |_: proto::Done| Ok(()),
);
search_reply!(NoteReply in note_reply, Note: Bytes, Ok, Ok);
