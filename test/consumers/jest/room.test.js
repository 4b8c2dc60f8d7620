/** A user whose tests run in Jest, which loads CommonJS. It must end by itself: close() leaves no handle open. */
const express = require('express');
const strongroom = require('express-strongroom');
const { drive } = require('./drive.cjs');

test('the package works in Jest', () => drive({ ...strongroom, express }));
