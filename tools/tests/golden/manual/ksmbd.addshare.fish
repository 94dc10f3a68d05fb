complete -c ksmbd.addshare -s o -l option -d 'Use OPT as share parameter instead of prompting; can be given multiple times' -r
complete -c ksmbd.addshare -s C -l config -d 'Use CONF as configuration file' -r -F
complete -c ksmbd.addshare -s P -l pwddb -d 'Use PWDDB as user database' -r -F
complete -c ksmbd.addshare -s a -l add -d 'Add SHARE to configuration file'
complete -c ksmbd.addshare -s u -l update -d 'Update SHARE in configuration file'
complete -c ksmbd.addshare -s d -l delete -d 'Delete SHARE from configuration file'
complete -c ksmbd.addshare -s v -l verbose -d 'Be verbose'
complete -c ksmbd.addshare -s V -l version -d 'Output version information and exit'
complete -c ksmbd.addshare -s h -l help -d 'Print help'
