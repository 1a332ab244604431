//! x
struct Drop;
impl weir_guest::ConsumerInterceptor for Drop {
    fn describe() -> weir_guest::Description { todo!() }
    fn open(_: &str) -> Result<Self, String> { panic!("oh") }
    fn on_consume(&mut self, b: &weir_guest::Batch<'_>) -> Result<weir_guest::Intercepted, weir_guest::BatchError> { b.headers(); panic!("no") }
}
weir_guest::export_consumer_interceptor!(Drop);
