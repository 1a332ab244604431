use std::cell::RefCell;

use crate::Part;
use crate::batch::Batch;
use crate::bindings::consumer_interceptor::exports::weir::connector::consumer_interceptor as consumer;
use crate::bindings::producer_interceptor::exports::weir::connector::producer_interceptor as producer;
use crate::bindings::{consumer_interceptor, producer_interceptor};
use crate::interception::{Intercepted, Verdict};
use crate::messages;
use crate::types::{BatchError, Config, Description};

/// Sees messages after they are consumed, before they are decoded. Export it with
/// [`export_consumer_interceptor!`](crate::export_consumer_interceptor).
///
/// Columns are copied into the plug-in only when it asks for them: one that only
/// looks at headers never pays for the values.
pub trait ConsumerInterceptor: Sized + 'static {
    /// What the plug-in is called, what it does and which options it takes. No
    /// import may be called from here, not even [`log`](crate::log).
    fn describe() -> Description;

    /// Makes an interceptor. `options` is the JSON object from the pipeline file:
    /// see [`options`](fn@crate::options).
    ///
    /// # Errors
    /// A text for the person who wrote the pipeline file, naming the option at
    /// fault.
    fn open(options: &str) -> Result<Self, String>;

    /// Says what becomes of a batch. Batches of one partition come in order.
    ///
    /// # Errors
    /// Only for what concerns the whole batch: `Unavailable` asks the host to call
    /// again later with the same batch, `Failed` stops the pipeline.
    fn on_consume(&mut self, batch: &Batch<'_>) -> Result<Intercepted, BatchError>;
}

/// Sees messages after they are serialized, before they are produced. Export it
/// with [`export_producer_interceptor!`](crate::export_producer_interceptor).
pub trait ProducerInterceptor: Sized + 'static {
    /// What the plug-in is called, what it does and which options it takes. No
    /// import may be called from here, not even [`log`](crate::log).
    fn describe() -> Description;

    /// Makes an interceptor. `options` is the JSON object from the pipeline file:
    /// see [`options`](fn@crate::options).
    ///
    /// # Errors
    /// A text for the person who wrote the pipeline file, naming the option at
    /// fault.
    fn open(options: &str) -> Result<Self, String>;

    /// Says what becomes of a batch before it is sent. Its offsets are those of
    /// the consumed messages that it comes from.
    ///
    /// # Errors
    /// Only for what concerns the whole batch: `Unavailable` asks the host to call
    /// again later with the same batch, `Failed` stops the pipeline.
    fn on_send(&mut self, batch: &Batch<'_>) -> Result<Intercepted, BatchError>;
}

/// Makes `$type`, which implements
/// [`ConsumerInterceptor`], the plug-in that this crate
/// compiles to. Once per `cdylib`.
#[macro_export]
macro_rules! export_consumer_interceptor {
    ($type:ty) => {
        // Elsewhere the exports' names would not link: there, only check the trait.
        #[cfg(not(target_family = "wasm"))]
        const _: fn() = || {
            let _ = <$type as $crate::ConsumerInterceptor>::open;
        };
        #[cfg(target_family = "wasm")]
        const _: () = {
            type WeirPlugin = $crate::ConsumerInterceptorPlugin<$type>;
            $crate::bindings::consumer_interceptor::export_consumer_interceptor_bindings!(
                WeirPlugin with_types_in $crate::bindings::consumer_interceptor
            );
        };
    };
}

/// Makes `$type`, which implements
/// [`ProducerInterceptor`], the plug-in that this crate
/// compiles to. Once per `cdylib`.
#[macro_export]
macro_rules! export_producer_interceptor {
    ($type:ty) => {
        // Elsewhere the exports' names would not link: there, only check the trait.
        #[cfg(not(target_family = "wasm"))]
        const _: fn() = || {
            let _ = <$type as $crate::ProducerInterceptor>::open;
        };
        #[cfg(target_family = "wasm")]
        const _: () = {
            type WeirPlugin = $crate::ProducerInterceptorPlugin<$type>;
            $crate::bindings::producer_interceptor::export_producer_interceptor_bindings!(
                WeirPlugin with_types_in $crate::bindings::producer_interceptor
            );
        };
    };
}

impl Intercepted {
    /// The batch goes on as it is.
    #[must_use]
    pub fn unchanged() -> Self {
        Self::from(Verdict::Unchanged)
    }

    /// Only these rows go on. They are in strictly ascending order.
    #[must_use]
    pub fn keep(rows: Vec<u32>) -> Self {
        Self::from(Verdict::Keep(rows))
    }
}

impl From<Verdict> for Intercepted {
    fn from(verdict: Verdict) -> Self {
        Self {
            verdict,
            errors: Vec::new(),
        }
    }
}

/// What [`export_consumer_interceptor!`](crate::export_consumer_interceptor)
/// exports: a [`ConsumerInterceptor`] as the component model's resource.
pub struct ConsumerInterceptorPlugin<I>(RefCell<I>);

impl<I: ConsumerInterceptor> consumer_interceptor::Guest for ConsumerInterceptorPlugin<I> {
    fn describe() -> Description {
        I::describe()
    }
}

impl<I: ConsumerInterceptor> consumer::Guest for ConsumerInterceptorPlugin<I> {
    type Interceptor = Self;
}

impl<I: ConsumerInterceptor> consumer::GuestInterceptor for ConsumerInterceptorPlugin<I> {
    fn open(config: Config) -> Result<consumer::Interceptor, String> {
        crate::panics::log_them();
        let interceptor = I::open(&config.options)?;
        Ok(consumer::Interceptor::new(Self(RefCell::new(interceptor))))
    }

    fn on_consume(&self, batch: &messages::Batch) -> Result<Intercepted, BatchError> {
        self.0
            .borrow_mut()
            .on_consume(&Batch::lent(batch, Part::Value))
    }
}

/// What [`export_producer_interceptor!`](crate::export_producer_interceptor)
/// exports: a [`ProducerInterceptor`] as the component model's resource.
pub struct ProducerInterceptorPlugin<I>(RefCell<I>);

impl<I: ProducerInterceptor> producer_interceptor::Guest for ProducerInterceptorPlugin<I> {
    fn describe() -> Description {
        I::describe()
    }
}

impl<I: ProducerInterceptor> producer::Guest for ProducerInterceptorPlugin<I> {
    type Interceptor = Self;
}

impl<I: ProducerInterceptor> producer::GuestInterceptor for ProducerInterceptorPlugin<I> {
    fn open(config: Config) -> Result<producer::Interceptor, String> {
        crate::panics::log_them();
        let interceptor = I::open(&config.options)?;
        Ok(producer::Interceptor::new(Self(RefCell::new(interceptor))))
    }

    fn on_send(&self, batch: &messages::Batch) -> Result<Intercepted, BatchError> {
        self.0
            .borrow_mut()
            .on_send(&Batch::lent(batch, Part::Value))
    }
}
