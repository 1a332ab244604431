use std::cell::RefCell;

use crate::batch::Batch;
use crate::bindings::deserializer::exports::weir::connector::deserializer::{
    Decoded, Decoder, Guest, GuestDecoder, Part,
};
use crate::bindings::deserializer::{Guest as World, weir::connector::messages};
use crate::rows::Field;
use crate::types::{BatchError, Config, Description};

/// Turns messages into rows. Export it with [`export_deserializer!`](crate::export_deserializer).
///
/// One instance is called by one thread at a time, with batches of any of the
/// topics that the pipeline reads.
pub trait Deserializer: Sized + 'static {
    /// What the plug-in is called, what it does and which options it takes. No
    /// import may be called from here, not even [`log`](crate::log).
    fn describe() -> Description;

    /// Makes a deserializer for keys or for values. `options` is the JSON object
    /// from the pipeline file: see [`options`](fn@crate::options).
    ///
    /// # Errors
    /// A text for the person who wrote the pipeline file, naming the option at
    /// fault.
    fn open(part: Part, options: &str) -> Result<Self, String>;

    /// Decodes one batch. Messages that cannot be decoded go into
    /// [`Decoded::errors`]; the others go on. A message in no group and not in the
    /// errors is skipped, as a tombstone is.
    ///
    /// # Errors
    /// Only for what concerns the whole batch: `Unavailable` asks the host to call
    /// again later with the same batch, `Failed` stops the pipeline.
    fn decode(&mut self, batch: &Batch<'_>) -> Result<Decoded, BatchError>;

    /// The fields behind the number that a row group carried, in pre-order. Asked
    /// once for each number; a number always means the same schema.
    fn schema(&self, number: u32) -> Vec<Field>;
}

/// Makes `$type`, which implements [`Deserializer`], the
/// plug-in that this crate compiles to. Once per `cdylib`.
#[macro_export]
macro_rules! export_deserializer {
    ($type:ty) => {
        // Elsewhere the exports' names would not link: there, only check the trait.
        #[cfg(not(target_family = "wasm"))]
        const _: fn() = || {
            let _ = <$type as $crate::Deserializer>::open;
        };
        #[cfg(target_family = "wasm")]
        const _: () = {
            type WeirPlugin = $crate::DeserializerPlugin<$type>;
            $crate::bindings::deserializer::export_deserializer_bindings!(
                WeirPlugin with_types_in $crate::bindings::deserializer
            );
        };
    };
}

/// What [`export_deserializer!`](crate::export_deserializer) exports: a
/// [`Deserializer`] as the component model's resource, which is called through a
/// shared reference.
pub struct DeserializerPlugin<D> {
    part: Part,
    deserializer: RefCell<D>,
}

impl<D: Deserializer> World for DeserializerPlugin<D> {
    fn describe() -> Description {
        D::describe()
    }
}

impl<D: Deserializer> Guest for DeserializerPlugin<D> {
    type Decoder = Self;
}

impl<D: Deserializer> GuestDecoder for DeserializerPlugin<D> {
    fn open(part: Part, config: Config) -> Result<Decoder, String> {
        crate::panics::log_them();
        let deserializer = RefCell::new(D::open(part, &config.options)?);
        Ok(Decoder::new(Self { part, deserializer }))
    }

    fn decode(&self, batch: &messages::Batch) -> Result<Decoded, BatchError> {
        self.deserializer
            .borrow_mut()
            .decode(&Batch::lent(batch, self.part))
    }

    fn schema(&self, number: u32) -> Vec<Field> {
        self.deserializer.borrow().schema(number)
    }
}
