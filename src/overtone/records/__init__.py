"""Records of training runs: written during training, read by metrics, plots and reports. No torch."""

from overtone.records import metrics
from overtone.records._combine import concat
from overtone.records._netcdf import to_netcdf
from overtone.records._reader import Snapshots, load, snapshots
from overtone.records._schema import SCHEMA, Header
from overtone.records._writer import Writer

__all__ = ["SCHEMA", "Header", "Snapshots", "Writer", "concat", "load", "metrics", "snapshots", "to_netcdf"]
