//! Operations against plain compositions and finite differences; weight files; the optimiser.

mod check;
mod conv3d;
mod convert;
mod formats;
mod ops;
mod optim;
mod precision;
mod stored;
mod warp;
mod weights;
