#pragma once
// The one exception hierarchy. what() says what was wrong, where, and what to do next.

#include <stdexcept>
#include <string>

namespace xinfer {

/// Base of everything that xInfer throws on purpose.
///
/// `message` says what was wrong and where (file, node, tensor); `hint`, when not empty, says what to do next and is
/// appended to what() after a newline.
class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& message, const std::string& hint = "")
      : std::runtime_error(hint.empty() ? message : message + "\n  hint: " + hint) {}
};

/// The ONNX model is malformed or contradicts itself.
class ModelError : public Error {
 public:
  using Error::Error;
};

/// The model is well-formed but asks for something that xInfer does not do.
class UnsupportedError : public ModelError {
 public:
  using ModelError::ModelError;
};

/// Calibration data, ranges or the calibration cache are unusable.
class CalibrationError : public Error {
 public:
  using Error::Error;
};

/// An engine file is damaged, foreign, or was given inputs that it can't take.
class EngineError : public Error {
 public:
  using Error::Error;
};

/// An image or data folder is missing or damaged.
class DataError : public Error {
 public:
  using Error::Error;
};

/// A device or its driver failed.
class DeviceError : public Error {
 public:
  using Error::Error;
};

/// Work was stopped on the user's request (an interrupt, or a progress callback that returned false).
class CancelledError : public Error {
 public:
  using Error::Error;
};

}  // namespace xinfer
