from ._bounds import CosineSum as CosineSum
from ._bounds import error_bound as error_bound
from ._bounds import relu_error_bound as relu_error_bound
from ._grid import constant_on_grid as constant_on_grid
from ._points import BorderWindow as BorderWindow
from ._points import constant_at_points as constant_at_points
