/** A user of CommonJS. */
const express = require('express');
const strongroom = require('express-strongroom');
const { drive } = require('./drive.cjs');

drive({ ...strongroom, express }).catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
