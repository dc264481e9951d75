//! What goes over the wire: the Videos API's objects, requests and errors, as its clients speak them.

mod error;
mod form;
mod objects;
mod requests;

pub use error::{ApiError, ErrorBody};
pub use form::{Form, Limits, Upload};
pub use objects::{
    BatchList, BatchObject, CharacterObject, DeletedObject, Event, FileList, FileObject, ModelList,
    ModelObject, VideoList, VideoObject,
};
pub use requests::{
    BatchRequest, CharacterRef, CharacterRequest, CreateRequest, EditRequest, ExtendRequest,
    FileRequest, FilesQuery, ListQuery, Options, PageQuery, Reference, RemixRequest, VideoRef,
};
