//! The time of responses.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The time in UTC (RFC 3339).
pub(crate) fn now_in_text() -> String {
    OffsetDateTime::now_utc().format(&Rfc3339).unwrap_or_default()
}

/// The seconds since 1970.
pub(crate) fn now_in_seconds() -> u64 {
    u64::try_from(OffsetDateTime::now_utc().unix_timestamp()).unwrap_or_default()
}
