//! `weir:connector/schemas`: what a plug-in asks of the source of schemas.

use std::time::Instant;

use wasmtime::component::Linker;
use wasmtime::{Result, StoreContextMut};

use super::bindings::schemas as wit;
use super::imports::{HostState, no_rights, ticks};
use crate::schemas::{
    Guid, NewSchema, Registered, Registration, Schema, SchemaError, SchemaKey, SchemaSource,
    SchemaType, SubjectVersion,
};

/// The name of the interface, as components import it.
pub(super) const INTERFACE: &str = "weir:connector/schemas@0.1.0";

pub(super) fn add_to_linker(linker: &mut Linker<HostState>) -> Result<()> {
    let mut schemas = linker.instance(INTERFACE)?;
    schemas.func_wrap("by-id", |store, (id,): (u32,)| {
        let answer = ask_framed(store, SchemaKey::Id(id), |source| source.by_id(id))?;
        Ok((answer.map(wit::Schema::from),))
    })?;
    schemas.func_wrap("by-guid", |store, (guid,): (wit::Guid,)| {
        let guid = Guid::from_halves(guid.high, guid.low);
        let key = SchemaKey::Guid(guid);
        let answer = ask_framed(store, key, |source| source.by_guid(guid))?;
        Ok((answer.map(wit::Schema::from),))
    })?;
    schemas.func_wrap("by-fingerprint", |store, (fingerprint,): (u64,)| {
        let answer = ask(store, |source| source.by_fingerprint(fingerprint))?;
        Ok((answer.map(wit::Schema::from),))
    })?;
    schemas.func_wrap("latest", |store, (subject,): (String,)| {
        let answer = ask(store, |source| source.latest(&subject))?;
        Ok((answer.map(wit::Registered::from),))
    })?;
    schemas.func_wrap("version", |store, (subject, version): (String, u32)| {
        let answer = ask(store, |source| source.version(&subject, version))?;
        Ok((answer.map(wit::Registered::from),))
    })?;
    schemas.func_wrap(
        "look-up",
        |store, (subject, schema): (String, wit::NewSchema)| {
            let schema = NewSchema::from(schema);
            let answer = ask(store, |source| source.look_up(&subject, &schema))?;
            Ok((answer.map(wit::Registered::from),))
        },
    )?;
    schemas.func_wrap(
        "register",
        |store, (subject, schema): (String, wit::NewSchema)| {
            let schema = NewSchema::from(schema);
            let answer = ask(store, |source| source.register(&subject, &schema))?;
            Ok((answer.map(wit::Registration::from),))
        },
    )
}

/// Asks for what messages name: those of the same batch may name more.
fn ask_framed<T>(
    store: StoreContextMut<'_, HostState>,
    key: SchemaKey,
    then: impl FnOnce(&dyn SchemaSource) -> Result<T, SchemaError>,
) -> Result<Result<T, wit::SchemaError>> {
    let rights = store.data().rights.clone();
    let batch = store.data().lent.clone();
    ask(store, |source| {
        if let Some(rights) = rights {
            rights.prefetch.asked(key, batch.as_ref(), source);
        }
        then(source)
    })
}

/// Asks the source, with the call's deadline stopped meanwhile.
fn ask<T>(
    mut store: StoreContextMut<'_, HostState>,
    ask: impl FnOnce(&dyn SchemaSource) -> Result<T, SchemaError>,
) -> Result<Result<T, wit::SchemaError>> {
    let Some(rights) = store.data().rights.clone() else {
        return Err(no_rights("schemas"));
    };
    let asked = Instant::now();
    let answer = ask(&*rights.schemas);
    let now = Instant::now();
    let deadline = store.data().deadline + (now - asked);
    store.data_mut().deadline = deadline;
    store.set_epoch_deadline(ticks(deadline.saturating_duration_since(now)));
    Ok(answer.map_err(wit::SchemaError::from))
}

impl From<SchemaError> for wit::SchemaError {
    fn from(error: SchemaError) -> Self {
        match error {
            SchemaError::NotFound(text) => Self::NotFound(text),
            SchemaError::Unavailable(text) => Self::Unavailable(text),
            SchemaError::Refused(text) => Self::Refused(text),
        }
    }
}

impl From<Schema> for wit::Schema {
    fn from(schema: Schema) -> Self {
        let references = schema.references.into_iter();
        Self {
            schema_type: match schema.schema_type {
                SchemaType::Avro => wit::SchemaType::Avro,
                SchemaType::Protobuf => wit::SchemaType::Protobuf,
                SchemaType::Json => wit::SchemaType::Json,
            },
            text: schema.text,
            references: references
                .map(|named| wit::Reference {
                    name: named.name,
                    text: named.text,
                })
                .collect(),
        }
    }
}

impl From<Guid> for wit::Guid {
    fn from(guid: Guid) -> Self {
        let (high, low) = guid.halves();
        Self { high, low }
    }
}

impl From<Registered> for wit::Registered {
    fn from(registered: Registered) -> Self {
        Self {
            id: registered.id,
            guid: registered.guid.map(wit::Guid::from),
            version: registered.version,
            schema: registered.schema.into(),
        }
    }
}

impl From<Registration> for wit::Registration {
    fn from(registration: Registration) -> Self {
        Self {
            id: registration.id,
            guid: registration.guid.map(wit::Guid::from),
        }
    }
}

impl From<wit::NewSchema> for NewSchema {
    fn from(schema: wit::NewSchema) -> Self {
        let references = schema.references.into_iter();
        Self {
            schema_type: match schema.schema_type {
                wit::SchemaType::Avro => SchemaType::Avro,
                wit::SchemaType::Protobuf => SchemaType::Protobuf,
                wit::SchemaType::Json => SchemaType::Json,
            },
            text: schema.text,
            references: references
                .map(|named| SubjectVersion {
                    name: named.name,
                    subject: named.subject,
                    version: named.version,
                })
                .collect(),
        }
    }
}
