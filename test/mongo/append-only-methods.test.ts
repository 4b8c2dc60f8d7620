/** Every method that mongoose and its driver have is known: one that a new version brings fails here until someone has decided what it is. */
import { EventEmitter } from 'node:events';
import { expect } from 'chai';
import { DOCUMENT, MODEL, NATIVE, QUERY } from './append-only-cases.js';
import { CONNECTION } from './append-only-connection-cases.js';
import { trailSchema, type Untyped, VERSIONS } from './append-only-world.js';

/** The refused ones, or those refused in some forms, are the keys of `cases`: each is tried for real in append-only-changes. */
interface Inventory {
  readonly cases: object;
  readonly reading: string;
  readonly inserting: string;
  readonly harmless: string;
}

const MODEL_METHODS: Inventory = {
  cases: MODEL,
  reading: `$where aggregate countDocuments diffIndexes distinct estimatedDocumentCount exists find findAndCount findById findOne
    listIndexes listSearchIndexes populate watch where`,
  inserting: `$__insertMany create createCollection createIndexes createSearchIndex createSearchIndexes ensureIndexes insertMany insertOne`,
  harmless: `$__updateConnection Query __subclass _applyQueryMiddleware applyDefaults applyTimestamps applyVirtuals
    buildBulkWriteOperations castObject clientEncryption compile discriminator hydrate init inspect model namespace recompileSchema
    startSession translateAliases useConnection validate`,
};

const DOCUMENT_METHODS: Inventory = {
  cases: DOCUMENT,
  reading: 'populate $assertPopulated $getPopulatedDocs $populated populated depopulate',
  inserting: '$__handleSave',
  harmless: `$__buildDoc $__delta $__dirty $__fullPath $__getArrayPathsToValidate $__getValue $__handleReject $__hasOnlyPrimitiveValues
    $__init $__isSelected $__originalValidate $__path $__reset $__resetAtomics $__saveInitialState $__set $__setParent $__setSchema
    $__setValue $__shouldModify $__toObjectShallow $__undoReset $__validate $__validateSync $__version $__where $addListener
    $clearModifiedPaths $clone $createModifiedPathsSnapshot $emit $get $getAllSubdocs $getChanges $ignore $inc $init $isDefault
    $isDeleted $isEmpty $isModified $isValid $listeners $markValid $model $on $once $parent $removeAllListeners $removeListener
    $restoreModifiedPathsSnapshot $session $set $setMaxListeners $timestamps $toObject $validate _applyVersionIncrement
    _execDocumentPostHooks _execDocumentPreHooks addListener directModifiedPaths emit equals get getChanges increment init inspect
    invalidate isDirectModified isDirectSelected isInit isModified isSelected listeners markModified model modifiedPaths on once
    overwrite ownerDocument parent removeAllListeners removeListener set setMaxListeners toBSON toJSON toObject toString
    unmarkModified validate validateSync`,
};

const QUERY_METHODS: Inventory = {
  cases: QUERY,
  reading: `$where __distinct _count _countDocuments _distinct _estimatedDocumentCount _find _findOne count countDocuments cursor
    distinct estimatedDocumentCount exists explain find findAndCount findById findOne`,
  inserting: '',
  // Of mquery's left-overs in mongoose 8 findOneAndRemove cannot run; _findOneAndRemove can, and is among the variants.
  harmless: `_applyPaths _applyTranslateAliases _castConditions _castFields _castUpdate _completeMany _completeOne _ensurePath
    _fieldsForExec _findOneAndRemove _mergeUpdate _optionsForExec _unsetCastError _updateForExec _validate _validateOp all
    allowDiskUse and batchSize box cast catch center centerSphere circle clone collation collection comment elemMatch eq equals
    error exec finally findOneAndRemove geometry get getFilter getOptions getPopulatedPaths getQuery getUpdate gt gte hint in
    intersects isPathSelectedInclusive j lean limit lt lte maxDistance maxTime maxTimeMS merge minDistance mod mongooseOptions ne
    near nearSphere nin nor or orFail polygon populate post pre projection r read readConcern regex sanitizeProjection
    schemaLevelProjections select selected selectedExclusively selectedInclusively session set setOptions setQuery
    setReadPreference setTraceFunction setUpdate size skip slaveOk slice sort tailable then toConstructor toString transform
    validate w wTimeout where within writeConcern wtimeout`,
};

const NATIVE_METHODS: Inventory = {
  cases: NATIVE,
  reading: `aggregate count countDocuments distinct estimatedDocumentCount find findOne getIndexes indexExists indexInformation
    indexes isCapped listIndexes listSearchIndexes options watch`,
  inserting: 'createIndex createIndexes createSearchIndex createSearchIndexes insert insertMany insertOne',
  harmless: `$format $print $printToStream _getBufferTimeoutMS _getCollection _shouldBufferCommands addQueue doQueue onClose onOpen
    removeQueue`,
};

const CONNECTION_METHODS: Inventory = {
  cases: CONNECTION,
  reading: 'listCollections listDatabases watch',
  inserting: 'createCollections',
  harmless: `_buildEncryptionSchemas _close _flushQueue _getBufferTimeoutMS _shouldBufferCommands _waitForConnect asPromise
    authMechanismDoesNotRequirePassword close collection createClient deleteModel destroy doClose error get getClient model
    modelNames on onClose onOpen once openUri optionsProvideAuthenticationData plugin removeDb set setClient shouldAuthenticate
    startSession transaction useDb withSession`,
};

/** The names of all methods, inherited ones too, without those of the given objects. */
function methodsOf(object: Untyped, without: readonly object[] = []): string[] {
  const names = new Set<string>();
  for (
    let at = object;
    at !== null && at !== Object.prototype && at !== Function.prototype;
    at = Object.getPrototypeOf(at)
  ) {
    if (without.includes(at)) continue;
    for (const [name, { value }] of Object.entries(
      Object.getOwnPropertyDescriptors(at) as Record<string, PropertyDescriptor>,
    )) {
      if (typeof value === 'function' && name !== 'constructor') names.add(name);
    }
  }
  return [...names];
}

function expectKnown(names: readonly string[], { cases, reading, inserting, harmless }: Inventory): void {
  const known = new Set([
    ...Object.keys(cases),
    ...[reading, inserting, harmless].flatMap((list) => list.split(/\s+/)),
  ]);
  expect(names).to.have.length.above(10);
  expect(names.filter((name) => !known.has(name))).to.deep.equal([]);
}

describe('mongo/append-only: methods', () => {
  for (const [version, mongoose] of VERSIONS) {
    const connection = mongoose.createConnection();
    const Model = connection.model('Inventory', trailSchema(mongoose));
    const emitter = Object.keys(EventEmitter.prototype);

    it(`knows every static method of a model, ${version}`, () => {
      const names = methodsOf(Model).filter((name) => !emitter.includes(name) && name !== 'prototype');
      expectKnown(names, MODEL_METHODS);
    });
    it(`knows every method of a document, ${version}`, () => {
      expectKnown(methodsOf(Model.prototype), DOCUMENT_METHODS);
    });
    it(`knows every method of a query, ${version}`, () => {
      expectKnown(methodsOf(Model.Query.prototype), QUERY_METHODS);
    });
    it(`knows every method of a native collection, ${version}`, () => {
      expectKnown(methodsOf(Object.getPrototypeOf(Model.collection)), NATIVE_METHODS);
    });
    it(`knows every method of a connection, ${version}`, () => {
      expectKnown(methodsOf(Object.getPrototypeOf(connection), [EventEmitter.prototype]), CONNECTION_METHODS);
    });
  }
});
