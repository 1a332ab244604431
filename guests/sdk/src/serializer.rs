use std::cell::RefCell;

use crate::Part;
use crate::bindings::serializer::Guest as World;
use crate::bindings::serializer::exports::weir::connector::serializer::{
    Encoded, Encoder, Guest, GuestEncoder, Target,
};
use crate::rows::Array;
use crate::types::{BatchError, Config, Description};

/// Turns rows into messages. Export it with [`export_serializer!`](crate::export_serializer).
///
/// One instance is called by one thread at a time.
pub trait Serializer: Sized + 'static {
    /// What the plug-in is called, what it does and which options it takes. No
    /// import may be called from here, not even [`log`](crate::log).
    fn describe() -> Description;

    /// Makes a serializer for keys or for values. `options` is the JSON object
    /// from the pipeline file: see [`options`](fn@crate::options).
    ///
    /// # Errors
    /// A text for the person who wrote the pipeline file, naming the option at
    /// fault.
    fn open(part: Part, options: &str) -> Result<Self, String>;

    /// Learns what a number stands for that rows will be encoded for.
    ///
    /// # Errors
    /// `Unavailable` asks the host to call again later, `Failed` stops the pipeline before
    /// anything of the batch is sent.
    fn prepare(&mut self, number: u32, target: Target) -> Result<(), BatchError>;

    /// Encodes rows. Those that cannot be encoded go into [`Encoded::errors`]; the
    /// others go on.
    ///
    /// # Errors
    /// Only for what concerns the whole batch: `Unavailable` asks the host to call
    /// again later with the same rows, `Failed` stops the pipeline.
    fn encode(&mut self, rows: &RowBatch) -> Result<Encoded, BatchError>;
}

/// Rows of one call.
#[derive(Debug)]
pub struct RowBatch {
    /// The number that was told by [`Serializer::prepare`].
    pub number: u32,
    /// How many there are.
    pub len: u32,
    /// One array for each field of the target's schema, in pre-order.
    pub arrays: Vec<Array>,
}

/// Makes `$type`, which implements [`Serializer`], the
/// plug-in that this crate compiles to. Once per `cdylib`.
#[macro_export]
macro_rules! export_serializer {
    ($type:ty) => {
        // Elsewhere the exports' names would not link: there, only check the trait.
        #[cfg(not(target_family = "wasm"))]
        const _: fn() = || {
            let _ = <$type as $crate::Serializer>::open;
        };
        #[cfg(target_family = "wasm")]
        const _: () = {
            type WeirPlugin = $crate::SerializerPlugin<$type>;
            $crate::bindings::serializer::export_serializer_bindings!(
                WeirPlugin with_types_in $crate::bindings::serializer
            );
        };
    };
}

/// What [`export_serializer!`](crate::export_serializer) exports: a
/// [`Serializer`] as the component model's resource, which is called through a
/// shared reference.
pub struct SerializerPlugin<S>(RefCell<S>);

impl<S: Serializer> World for SerializerPlugin<S> {
    fn describe() -> Description {
        S::describe()
    }
}

impl<S: Serializer> Guest for SerializerPlugin<S> {
    type Encoder = Self;
}

impl<S: Serializer> GuestEncoder for SerializerPlugin<S> {
    fn open(part: Part, config: Config) -> Result<Encoder, String> {
        crate::panics::log_them();
        let serializer = S::open(part, &config.options)?;
        Ok(Encoder::new(Self(RefCell::new(serializer))))
    }

    fn prepare(&self, number: u32, target: Target) -> Result<(), BatchError> {
        self.0.borrow_mut().prepare(number, target)
    }

    fn encode(&self, number: u32, len: u32, arrays: Vec<Array>) -> Result<Encoded, BatchError> {
        let rows = RowBatch {
            number,
            len,
            arrays,
        };
        self.0.borrow_mut().encode(&rows)
    }
}
