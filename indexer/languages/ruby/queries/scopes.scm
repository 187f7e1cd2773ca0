; Where names bound inside of a node end, and which names are bound. Earlier patterns count.
[(method) (singleton_method)] @scope.function
[(block) (do_block) (lambda)] @scope.block
[(class) (module) (singleton_class)] @scope.class

(method_parameters (identifier) @bind.parameter)
(lambda_parameters (identifier) @bind.parameter)
(block_parameters (identifier) @bind.parameter)
(optional_parameter name: (identifier) @bind.parameter)
(keyword_parameter name: (identifier) @bind.parameter)
(splat_parameter name: (identifier) @bind.parameter)
(hash_splat_parameter name: (identifier) @bind.parameter)
(block_parameter name: (identifier) @bind.parameter)
(destructured_parameter (identifier) @bind.parameter)
(assignment left: (identifier) @bind)
(operator_assignment left: (identifier) @bind)
(left_assignment_list (identifier) @bind)
(left_assignment_list (rest_assignment (identifier) @bind))
(left_assignment_list (destructured_left_assignment (identifier) @bind))
(exception_variable (identifier) @bind)
(for pattern: (identifier) @bind)
