//! The engine's endpoints, one file per family. The families join in the engine's own table.
