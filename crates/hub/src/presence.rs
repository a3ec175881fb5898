use bytes::Bytes;

/// What is known of a member of a topic. From [`Hub::members`](crate::Hub::members).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct MemberInfo {
    /// A number that no other member has.
    pub id: u64,
    /// What the application gave at [`Hub::join`](crate::Hub::join).
    pub data: Bytes,
}
