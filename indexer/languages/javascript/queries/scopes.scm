; Parameters stand in their list without a node of their own.
(formal_parameters (identifier) @bind.parameter)
(formal_parameters (assignment_pattern left: (identifier) @bind.parameter))
(formal_parameters (rest_pattern (identifier) @bind.parameter))
(formal_parameters (object_pattern (shorthand_property_identifier_pattern) @bind.parameter))
