use bytes::Bytes;

/// The description of a member of a topic. Returned by [`Hub::members`](crate::Hub::members).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct MemberInfo {
    /// A number that no other member has.
    pub id: u64,
    /// The data that the application passed to [`Hub::join`](crate::Hub::join).
    pub data: Bytes,
}
