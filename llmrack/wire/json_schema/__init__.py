"""JSON Schemas that clients write: read, compiled and applied at a cost that their authors cannot drive up."""
