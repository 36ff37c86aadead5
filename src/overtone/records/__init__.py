"""Records: what was seen of a training run, written while it goes on and read by everything else. No torch."""

from overtone.records import metrics as derived
from overtone.records.combine import concat
from overtone.records.netcdf import to_netcdf
from overtone.records.reader import Snapshots, load, snapshots
from overtone.records.schema import SCHEMA, Header
from overtone.records.writer import Writer

__all__ = ["SCHEMA", "Header", "Snapshots", "Writer", "concat", "derived", "load", "snapshots", "to_netcdf"]
