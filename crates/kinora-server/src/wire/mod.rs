//! What goes over the wire: the Videos API's objects, requests and errors, as its clients speak them.

mod error;
mod form;
mod objects;
mod requests;

pub use error::{ApiError, ErrorBody};
pub use form::{Form, Limits, Upload};
pub use objects::{
    CharacterObject, DeletedObject, Event, FileList, FileObject, ModelList, ModelObject, VideoList,
    VideoObject,
};
pub use requests::{
    CharacterRef, CharacterRequest, CreateRequest, EditRequest, ExtendRequest, FileRequest,
    FilesQuery, ListQuery, Options, Reference, RemixRequest, VideoRef,
};
